"""The platform's issuer, at `{base}`: the endpoints of a tenant's, each for the tenant that the request names."""

from urllib.parse import urlencode

from flask import Response

from idp import tenants
from idp.errors import InvalidRequest
from idp.oauth import leading, metadata, server
from idp.oauth.endpoints import end_session
from idp.oauth.leading import Led, Which
from idp.signing import jwks
from idp.tenants import current
from idp.web import answers, asked, named, pages, wellknown
from idp.web.cors import Cors
from idp.web.gates import Door, Gate
from idp.web.protocol import tokens, userinfo
from idp.web.reply import Reply

door = Door("platform", __name__, gate=Gate.PLATFORM)

_FORM = ("csrf", "action")
"""What our own form has beside the parameters of the request."""
_AUTHENTICATION = ("client_id", "client_secret", "private_key_jwt")


@door.route("/jwks.json", credentials=(), cors=Cors.PUBLIC)
def keys() -> Response:
    """The platform's public keys (RFC 7517 §5)."""
    return wellknown.document(jwks.expires(), jwks.document())


@door.route("/.well-known/openid-configuration", credentials=(), cors=Cors.PUBLIC)
@door.route(
    "/.well-known/oauth-authorization-server",
    credentials=(),
    cors=Cors.PUBLIC,
    endpoint="authorization_server",
)
def configuration() -> Response:
    """Provider metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3)."""
    return wellknown.document(jwks.expires(), metadata.platform_document())


@door.route("/.well-known/oauth-protected-resource", credentials=(), cors=Cors.PUBLIC)
def protected_resource() -> Response:
    """Metadata of userinfo (RFC 9728 §3)."""
    return wellknown.document(jwks.expires(), metadata.resource())


@door.route(
    "/authorize",
    methods=("GET", "POST"),
    credentials=("client_id", "id_token", "request_object"),
    page="authorization_error",
)
def authorize() -> Response:
    """Judge an authorization request and lead the browser to the tenant, or ask which one."""
    parameters, resources = asked.authorization_parameters()
    parameters = {name: value for name, value in parameters.items() if name not in _FORM}
    outcome = leading.begin(parameters, resources, asked.address())
    if isinstance(outcome, Led):
        response = answers.see_other(outcome.location)
        # Our own form began it, whose policy would hold every redirect that follows.
        return answers.beyond(response) if _by_our_form() else response
    if isinstance(outcome, Which):
        return _which(outcome)
    return answers.answered(outcome)


def _by_our_form() -> bool:
    return asked.method() == "POST" and asked.environ().get("HTTP_SEC_FETCH_SITE") == "same-origin"


def _which(outcome: Which) -> Response:
    hidden = [*outcome.params.items(), *(("resource", each) for each in outcome.resources)]
    html, csp = pages.render(
        "organization",
        tenant=pages.face(current()),
        client=answers.client_face(outcome.client.known_client, outcome.client.redirect_uri),
        csrf="",
        hidden=tuple(hidden),
        action=f"{current().issuer}/authorize",
        said=outcome.said,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp)


@door.route(
    "/token", methods=("POST",), credentials=(*_AUTHENTICATION, "code", "refresh_token"), cors=Cors.CLIENTS
)
def token() -> Reply:
    """The token endpoint."""
    reply = tokens.write(named.told(server.token(tokens.with_resources("token", named.understood))))
    reply.headers.add("Pragma", "no-cache")
    return reply


@door.route("/introspect", methods=("POST",), credentials=(*_AUTHENTICATION, "access_token", "refresh_token"))
def introspect() -> Reply:
    """The introspection endpoint."""
    return tokens.write(server.introspect(tokens.plain_request("introspect", named.understood)))


@door.route(
    "/revoke",
    methods=("POST",),
    credentials=(*_AUTHENTICATION, "access_token", "refresh_token"),
    cors=Cors.CLIENTS,
)
def revoke() -> Reply:
    """The revocation endpoint."""
    return tokens.write(server.revoke(tokens.plain_request("revoke", named.understood)))


@door.route(
    "/userinfo", methods=("GET", "POST"), credentials=("access_token", "bound_token"), cors=Cors.CLIENTS
)
def claims() -> Reply:
    """What is told about the person whose token it is."""
    told: Reply = userinfo.userinfo()
    return told


@door.route("/logout", methods=("GET", "POST"), credentials=("id_token",), page="logout_error")
def logout() -> Response:
    """To the sign-out of the tenant that the hint names, which asks the person (RP-Initiated Logout 1.0 §2)."""
    parameters = asked.parameters()
    there = tenants.apart(lambda: leading.hinted(parameters.get("id_token_hint", "")))
    if there is None:
        raise InvalidRequest(
            "The application has not said whom it signs out.",
            rule="platform.hint",
            expected="an id_token_hint",
        )
    kept = {name: parameters[name] for name in end_session.KEPT if name in parameters}
    return answers.see_other(f"{there.issuer}/logout?{urlencode(kept)}")
