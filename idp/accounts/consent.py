"""What a person has allowed an application, remembered per user, client, API and scopes.

Who must be asked each time (a client whose identity nobody assures) is decided where the authorization
request is judged, not here. A scope of an API is written `identifier scope`, one of the default API alone: a
scope name by itself says nothing of the API at which it was allowed.
"""

from collections.abc import Iterable
from uuid import UUID

from idp.store.durable import consents
from idp.store.durable.consents import Consent


def remembered(user_id: UUID, client_id: UUID, scopes: Iterable[str]) -> bool:
    """Whether the user has allowed the client (its row's id) every one of `scopes` before, each with its API."""
    wanted = frozenset(scopes)
    return wanted <= consents.scopes_of(user_id, client_id)


def remember(user_id: UUID, client_id: UUID, scopes: Iterable[str]) -> None:
    """Keep that the user allowed the client `scopes`, beside what was allowed before."""
    consents.add(user_id, client_id, frozenset(scopes))


def revoke(user_id: UUID, client_id: UUID) -> bool:
    """Forget all that the user allowed the client; False when there was nothing. Tokens are the caller's."""
    return consents.remove(user_id, client_id)


def forget(client_id: UUID) -> None:
    """Forget what everybody allowed a client that is another than it was: whoever uses it is asked anew."""
    consents.forget(client_id)


def given_by(user_id: UUID) -> tuple[Consent, ...]:
    """All that a user has allowed, the latest first."""
    return consents.of_user(user_id)
