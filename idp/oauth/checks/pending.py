"""A request while it is being checked: what came in, and what the checks have made sure of so far."""

from dataclasses import dataclass, field
from typing import Any

from idp.store.durable.clients import Client
from idp.store.durable.users import User


@dataclass(slots=True)
class Pending:
    """What came in, and what the score has made of it.

    `params` and `resources_given` change once at most: when the client's signed or pushed request takes their place
    (`opened`).

    `returnable` becomes true once client and redirect_uri are verified: only then may an error travel
    back to the client (RFC 6749 §4.1.2.1).
    """

    params: dict[str, str]
    resources_given: tuple[str, ...] = ()
    opened: bool = False
    pushed: str | None = None
    """The name of the pushed request that they are (RFC 9126)."""
    client: Client | None = None
    redirect_uri: str = ""
    returnable: bool = False
    stranger: bool = False
    """Whether the client has only described itself so far, and nobody has ever allowed it anything."""
    response_type: str = ""
    response_mode: str = "query"
    scopes: tuple[str, ...] = ()
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    code_challenge: str | None = None
    resources: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    details: tuple[dict[str, Any], ...] = ()
    """What is asked for in detail (RFC 9396)."""
    user: User | None = None
    """Whom a backchannel request names."""
    message: str | None = None
    expiry: int | None = None

    def get(self, name: str) -> str | None:
        """A parameter as it came, or None."""
        return self.params.get(name)

    @property
    def known_client(self) -> Client:
        """The client, once `client_known` has played."""
        assert self.client is not None
        return self.client
