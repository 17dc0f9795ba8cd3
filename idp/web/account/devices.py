"""What a browser says of itself, in words that its person recognises: "Firefox on Windows".

Only for showing: anybody can send any User-Agent.
"""

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
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "An unknown browser")


def kind(agent: str | None) -> str:
    """phone or computer."""
    return "phone" if _first(_SYSTEMS, agent) in _PHONES else "computer"


def _first(known: tuple[tuple[str, str], ...], agent: str | None) -> str:
    return next((word for mark, word in known if mark in (agent or "")), "")
