"""A person's browser: cookies, forms by their ids, redirects within one site."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urljoin, urlsplit

from idp.prove.promises import Unexpected
from idp.prove.wire import Answer, Net

MOST_REDIRECTS = 10


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, its inputs with their values, and its buttons by id."""

    action: str
    inputs: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.found: dict[str, Form] = {}
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(urljoin(self.url, values.get("action") or self.url))
            self.found[values.get("id", "")] = self._open
        elif self._open is not None and tag == "input" and "name" in values:
            self._open.inputs[values["name"]] = values.get("value", "")
        elif self._open is not None and tag == "button" and "name" in values:
            self._open.buttons[values.get("id", "")] = (values["name"], values.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def forms(answer: Answer) -> dict[str, Form]:
    """The forms of a page by id."""
    parser = _Forms(answer.url)
    parser.feed(answer.text)
    parser.close()
    return parser.found


@dataclass(slots=True)
class Browser:
    """One browser of one person. It follows redirects below `site` and stops before any other address."""

    net: Net
    site: str
    """The address below which it follows redirects, such as an issuer."""
    cookies: dict[tuple[str, str], str] = field(default_factory=dict)
    """By host and name: browsers do not tell ports apart."""

    def get(self, url: str) -> Answer:
        """Open an address."""
        return self._follow(self._ask("GET", url, None))

    def post(self, url: str, form: Mapping[str, str]) -> Answer:
        """Send a form."""
        return self._follow(self._ask("POST", url, form))

    def submit(self, answer: Answer, form_id: str, button: str, **values: str) -> Answer:
        """Fill the form `form_id` of the page with `values` and press `button`. Raises Unexpected."""
        form = forms(answer).get(form_id)
        if form is None or button not in form.buttons:
            raise answer.unexpected(f"without the form {form_id} and its button {button}")
        name, value = form.buttons[button]
        return self.post(form.action, {**form.inputs, **values, name: value})

    def cookie(self, ending: str) -> str:
        """The value of the cookie whose name ends so, or ""."""
        host = urlsplit(self.site).hostname or ""
        return next(
            (
                value
                for (where, name), value in self.cookies.items()
                if where == host and name.endswith(ending)
            ),
            "",
        )

    def sent(self, url: str) -> str:
        """The Cookie header that goes with a request to `url`."""
        host = urlsplit(url).hostname or ""
        return "; ".join(f"{name}={value}" for (where, name), value in self.cookies.items() if where == host)

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None) -> Answer:
        parts = urlsplit(url)
        headers = {"Accept": "text/html"}
        if cookies := self.sent(url):
            headers["Cookie"] = cookies
        if form is None:
            answer = self.net.ask(method, url, headers)
        else:
            headers |= {"Origin": f"{parts.scheme}://{parts.netloc}", "Sec-Fetch-Site": "same-origin"}
            answer = self.net.post(url, form, headers)
        self._keep(answer, parts.hostname or "")
        return answer

    def _keep(self, answer: Answer, host: str) -> None:
        for line in answer.every("Set-Cookie"):
            try:
                morsels = SimpleCookie(line)
            except CookieError:
                raise Unexpected(f"{answer} with a Set-Cookie that cannot be read.") from None
            for name, morsel in morsels.items():
                if morsel["max-age"] == "0":
                    self.cookies.pop((host, name), None)
                else:
                    self.cookies[host, name] = morsel.value

    def _follow(self, answer: Answer) -> Answer:
        for _ in range(MOST_REDIRECTS):
            location = answer.header("Location")
            if answer.status not in (302, 303, 307) or not below(location, self.site):
                return answer
            answer = self._ask("GET", location, None)
        raise Unexpected(f"{answer} after {MOST_REDIRECTS} redirects.")


def below(address: str, site: str) -> bool:
    """Whether an address is `site` or below it."""
    return address == site or address.startswith(f"{site.rstrip('/')}/")
