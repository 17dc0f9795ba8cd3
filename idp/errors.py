"""The tree of our errors: what the other side may read, and what only we may.

The public half is `code`, `description` and `status`; it follows RFC 6749 §5.2, so a description is
printable ASCII without `"` and `\\`. The private half (`rule`, `expected`, `got`, `setting`) is what
`idp explain` tells an operator; it never leaves the house. Only `idp.web.errors` turns either into HTTP.
"""

import re

_UNSPEAKABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")


def speakable(text: str) -> str:
    """`text` with every character that RFC 6749 §5.2 forbids in `error_description` replaced by `?`."""
    return _UNSPEAKABLE.sub("?", text)


class Refusal(Exception):
    """An answer of no, with a code, a sentence and a status."""

    code = "server_error"
    status = 400
    description = "The request cannot be answered."

    def __init__(
        self,
        description: str | None = None,
        *,
        rule: str | None = None,
        expected: object = None,
        got: object = None,
        setting: str | None = None,
        headers: dict[str, str] | None = None,
        retry_after: int | None = None,
        code: str | None = None,
        status: int | None = None,
    ) -> None:
        """Public: `description`, `code`, `status`, `headers`, `retry_after` (seconds). Private: the rest.

        `sentence` is the description as it was given, for a page that says it in the language of its reader.
        """
        self.sentence = self.description if description is None else description
        if description is not None:
            self.description = speakable(description)
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
        self.rule = rule
        self.expected = expected
        self.got = got
        self.setting = setting
        self.headers = dict(headers or {})
        self.retry_after = retry_after
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, int(retry_after)))
        super().__init__(f"{self.code}: {self.description}")

    def public(self) -> dict[str, str]:
        """The two members that may be told (RFC 6749 §5.2)."""
        return {"error": self.code, "error_description": self.description}


class InvalidRequest(Refusal):
    """RFC 6749 §5.2: a parameter is missing, repeated or malformed."""

    code = "invalid_request"


class InvalidClient(Refusal):
    """RFC 6749 §5.2: client authentication failed; one sentence for every reason."""

    code = "invalid_client"
    status = 401
    description = "Client authentication failed."


class InvalidGrant(Refusal):
    """RFC 6749 §5.2: the code or refresh token is invalid, expired, revoked or another's."""

    code = "invalid_grant"
    description = "The code or token is invalid, expired, revoked or was issued to another client."


class UnauthorizedClient(Refusal):
    """RFC 6749 §5.2: the client may not use this grant or response type."""

    code = "unauthorized_client"
    description = "The client is not authorized to do this."


class UnsupportedGrantType(Refusal):
    """RFC 6749 §5.2."""

    code = "unsupported_grant_type"
    description = "This grant_type is not supported."


class UnsupportedResponseType(Refusal):
    """RFC 6749 §4.1.2.1."""

    code = "unsupported_response_type"
    description = "This response_type is not supported."


class InvalidScope(Refusal):
    """RFC 6749 §5.2: the scope exceeds what the client may have."""

    code = "invalid_scope"
    description = "The requested scope exceeds what the client may have."


class InvalidTarget(Refusal):
    """RFC 8707 §2: the resource is unknown or not for this client."""

    code = "invalid_target"
    description = "The requested resource is unknown or not available to the client."


class AccessDenied(Refusal):
    """RFC 6749 §4.1.2.1: the person said no."""

    code = "access_denied"
    description = "The request was denied."


class LoginRequired(Refusal):
    """OpenID Connect Core 1.0 §3.1.2.6."""

    code = "login_required"
    description = "The person must sign in."


class ConsentRequired(Refusal):
    """OpenID Connect Core 1.0 §3.1.2.6."""

    code = "consent_required"
    description = "The person must consent."


class InteractionRequired(Refusal):
    """OpenID Connect Core 1.0 §3.1.2.6."""

    code = "interaction_required"
    description = "The person must interact."


class AccountSelectionRequired(Refusal):
    """OpenID Connect Core 1.0 §3.1.2.6."""

    code = "account_selection_required"
    description = "The person must choose an account."


class InvalidToken(Refusal):
    """RFC 6750 §3.1: the access token is expired, revoked, malformed or not for here."""

    code = "invalid_token"
    status = 401
    description = "The access token is expired, revoked, malformed or not meant for this resource."


class InsufficientScope(Refusal):
    """RFC 6750 §3.1."""

    code = "insufficient_scope"
    status = 403
    description = "The access token lacks a scope that this request needs."


class InsufficientUserAuthentication(Refusal):
    """RFC 9470 §3: the sign-in behind the access token is too weak or too old; how to ask for a better one."""

    code = "insufficient_user_authentication"
    status = 401
    description = "A better or more recent sign-in is needed."


class InvalidRedirectUri(Refusal):
    """RFC 7591 §3.2.2, and the page shown when /authorize names an unregistered redirect_uri."""

    code = "invalid_redirect_uri"
    description = "The redirect_uri is not registered for this client."


class InvalidClientMetadata(Refusal):
    """RFC 7591 §3.2.2."""

    code = "invalid_client_metadata"
    description = "A client metadata value is invalid."


class NotFound(Refusal):
    """It does not exist, or is another tenant's: nobody can tell which."""

    code = "not_found"
    status = 404
    description = "There is nothing here."


class Conflict(Refusal):
    """Such a thing exists already."""

    code = "conflict"
    status = 409
    description = "This exists already."


class Invalid(Refusal):
    """A value that an operator gave breaks a rule."""

    code = "invalid"
    status = 422
    description = "A value is invalid."


class Forbidden(Refusal):
    """Known, but not allowed."""

    code = "forbidden"
    status = 403
    description = "This is not allowed."


class MethodNotAllowed(Refusal):
    """RFC 9110 §15.5.6."""

    code = "method_not_allowed"
    status = 405
    description = "This method is not allowed here."


class TooLarge(Refusal):
    """RFC 9110 §15.5.14."""

    code = "request_too_large"
    status = 413
    description = "The request is too large."


class UnsupportedMediaType(Refusal):
    """RFC 9110 §15.5.16."""

    code = "unsupported_media_type"
    status = 415
    description = "This content type is not accepted here."


class TooMany(Refusal):
    """RFC 6585 §4: a throttle or a budget is used up for now."""

    code = "too_many_requests"
    status = 429
    description = "Too many attempts. Try again later."

    def __init__(self, description: str | None = None, *, retry_after: int = 60, **private: object) -> None:
        """`retry_after`: seconds until the answer may be another."""
        super().__init__(description, retry_after=retry_after, **private)  # type: ignore[arg-type]


class Busy(Refusal):
    """RFC 9110 §15.6.4: a part that is needed is away or full; coming back soon is right."""

    code = "temporarily_unavailable"
    status = 503
    description = "The service is busy. Try again shortly."

    def __init__(self, description: str | None = None, *, retry_after: int = 1, **private: object) -> None:
        """`retry_after`: seconds after which to come back."""
        super().__init__(description, retry_after=retry_after, **private)  # type: ignore[arg-type]
