"""What came in, parsed once: an authorization request, a request to a token-like endpoint, and the browser."""

from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request

from idp.oauth.binding import Binding
from idp.tenants import current


@dataclass(frozen=True, slots=True)
class Browser:
    """What the door knows of the browser: its cookies' values and where it is.

    `binding` is the value of the cookie that ties a transaction and its CSRF tokens to one browser.
    """

    binding: str
    session_token: str | None = None
    address: str = ""
    user_agent: str = ""
    proof: str | None = None
    """Of who has given a first factor in the transaction at hand."""
    trusted: str | None = None
    """Of a device on which no second factor is asked for again."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a request was made that is allowed at another place: `kind` is what its client holds.

    `name` is by what it is kept, `asked` when it came (epoch seconds), `message` what its client says of it.
    """

    kind: str
    address: str = ""
    agent: str = ""
    name: str = ""
    asked: int = 0
    message: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """The parameters of an authorization request, every one well-formed (RFC 6749 §4.1.1, OIDC Core §3.1.2.1).

    `params` is what came in, by which a lost transaction can be begun again.
    """

    client_id: str
    redirect_uri: str
    response_type: str
    response_mode: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str | None
    id_token_hint: str | None
    acr_values: tuple[str, ...]
    claims: dict[str, Any]
    code_challenge: str | None
    dpop_jkt: str | None
    resources: tuple[str, ...]
    params: dict[str, str]
    details: tuple[dict[str, Any], ...] = ()
    """What is asked for in detail (RFC 9396): it is shown and allowed each time."""
    elsewhere: Elsewhere | None = None
    """Set where no browser brought it: what it asks for is allowed on a page of its own, each time."""


class _Payload(OAuth2Payload):  # type: ignore[misc]
    """Authlib's view of a form that the strict parser has read."""

    def __init__(self, form: dict[str, str]) -> None:
        self._form = form

    @property
    def data(self) -> dict[str, str]:
        """The parameters by name."""
        return self._form

    @property
    def datalist(self) -> dict[str, list[str]]:
        """The parameters as lists; each has one value, since duplicates were refused."""
        return {name: [value] for name, value in self._form.items()}


class ProtocolRequest(OAuth2Request):  # type: ignore[misc]
    """A request to a token-like endpoint: its form alone, never its query (RFC 6749 §2.3.1, §3.2).

    The base class's own constructor is left out: it judges the transport by an address that a proxy may
    have rewritten, while ours is decided by the settings and built from the tenant's issuer.
    """

    def __init__(
        self,
        form: dict[str, str],
        *,
        resources: tuple[str, ...] = (),
        basic: tuple[str, str] | None = None,
        address: str = "",
        agent: str = "",
        endpoint: str = "token",
        proof: str | None = None,
        certificate: str | None = None,
        wants_jwt: bool = False,
    ) -> None:
        """`form`: the strictly parsed body; `resources`: the one parameter of it that may come more than once
        (RFC 8707 §2); `basic`: id and secret of an Authorization header, decoded; `proof`:
        the DPoP header; `certificate`: that of the connection, in PEM, from a proxy that is trusted to say so;
        `wants_jwt`: whether an answer as a JWT is accepted.
        """
        self.method = "POST"
        self.uri = f"{current().issuer}/{endpoint}"
        self.headers: dict[str, str] = {}
        self.payload = _Payload(form)
        self._form = form
        self.resources = resources
        self.basic = basic
        self.address = address
        self.agent = agent
        self.endpoint = endpoint
        self.proof = proof
        self.certificate = certificate
        self.wants_jwt = wants_jwt
        self.told: dict[str, str] = {}
        self.client: Any = None
        self.auth_method: str | None = None
        self.user: Any = None
        self.authorization_code: Any = None
        self.refresh_token: Any = None
        self.credential: Any = None
        self.binding: Binding | None = None
        self._scope = None
        self._body = None

    @property
    def form(self) -> dict[str, str]:
        """The parameters by name."""
        return self._form

    @property
    def args(self) -> dict[str, str]:
        """Nothing: the query of a token-like endpoint is never read."""
        return {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a token-like endpoint answers: a status, a JSON document, and headers beyond the usual."""

    body: dict[str, Any] | str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
