"""Response types: how they are spelled, which grants they stand for, and which of them a tenant speaks.

OAuth 2.0 Multiple Response Type Encoding Practices, OpenID Connect Core 1.0 section 3. What gives tokens to the
browser is off until a tenant's policy turns it on (RFC 9700 section 2.1.2).
"""

from idp.tenants import Policy

RESPONSE_TYPES = ("code", "id_token", "id_token token", "code id_token", "code token", "code id_token token")
"""In the spelling of the registry; the order of the words does not matter in a request."""
CODE, ID_TOKEN, TOKEN = "code", "id_token", "token"
_SPELLED = {frozenset(each.split()): each for each in RESPONSE_TYPES}


def spelled(value: object) -> str:
    """A response type as the registry spells it. Raises ValueError for one that is not spoken."""
    words = value.split(" ") if isinstance(value, str) and len(value) <= 64 else []
    found = _SPELLED.get(frozenset(words))
    if found is None or len(set(words)) != len(words):
        raise ValueError(f"must be one of {', '.join(RESPONSE_TYPES)}")
    return found


def has(response_type: str, word: str) -> bool:
    """Whether a code, an ID token or an access token comes back in this response."""
    return word in response_type.split(" ")


def grants(response_type: str) -> frozenset[str]:
    """The grant types that a client needs for it (OpenID Connect Registration 1.0 section 2)."""
    needed = {"authorization_code"} if has(response_type, CODE) else set()
    return frozenset(needed if response_type == CODE else needed | {"implicit"})


def spoken(policy: Policy) -> tuple[str, ...]:
    """The response types that a tenant with this policy speaks."""
    return tuple(
        each
        for each in RESPONSE_TYPES
        if each == CODE or (policy.hybrid_flow if has(each, CODE) else policy.implicit_flow)
    )
