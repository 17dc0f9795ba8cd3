"""What a browser says of itself, in words that its person recognises: "Firefox on Windows".

Only for showing: anybody can send any User-Agent.
"""

from idp.web.languages import _

# The first that is found counts: browsers name those that they descend from.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chromium", "Chromium"), ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"), ("Safari", "Safari"), ("curl", "curl"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
_PHONES = {"iPhone", "iPad", "Android"}


def name(agent: str | None) -> str:
    """Browser and system; what is not known is left out."""
    browser, system = _first(_BROWSERS, agent), _first(_SYSTEMS, agent)
    if browser and system:
        return _("%(browser)s on %(system)s", browser=browser, system=system)
    if system:
        return _("A browser on %(system)s", system=system)
    return browser or _("An unknown browser")


def kind(agent: str | None) -> str:
    """phone or computer."""
    return "phone" if _first(_SYSTEMS, agent) in _PHONES else "computer"


def _first(known: tuple[tuple[str, str], ...], agent: str | None) -> str:
    return next((word for mark, word in known if mark in (agent or "")), "")
