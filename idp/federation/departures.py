"""The way to an upstream: an authorization request of ours, and what has to come back with the answer to it.

What comes back is bound to the browser that left, to the upstream it left for, and to the sign-in that it left from;
it counts once (RFC 9700 §4.4, §4.5, §4.7). Each upstream has a redirect URI of its own, so that an answer says by
its address whose it is meant to be (§4.4.2).
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from idp import clock
from idp.errors import NotFound
from idp.federation import fields, providers
from idp.federation.refusals import NotFresh
from idp.ids import b64, digest, secret
from idp.store.durable import upstreams
from idp.store.durable.upstreams import Upstream
from idp.store.ephemeral import upstream_states
from idp.tenants import current


@dataclass(frozen=True, slots=True)
class Errand:
    """What somebody leaves for: a sign-in under way, or an account to link with.

    `fresh`: the upstream is to ask them anew. `max_age`: seconds that may have passed since it last did.
    `choose`: it is to let them choose an account. `again`: they have been there for this already.
    """

    transaction: str = ""
    user_id: UUID | None = None
    session_id: UUID | None = None
    fresh: bool = False
    max_age: int | None = None
    choose: bool = False
    login_hint: str = ""
    again: bool = False

    def state(self) -> dict[str, Any]:
        """As it is kept; what is only said to the upstream is not."""
        return {
            "transaction": self.transaction,
            "user": str(self.user_id) if self.user_id else None,
            "session": str(self.session_id) if self.session_id else None,
            "fresh": self.fresh,
            "max_age": self.max_age,
            "again": self.again,
        }


def named(name: str) -> Upstream:
    """The upstream of that name that people can sign in by. Raises NotFound."""
    upstream = upstreams.by_name(name) if 0 < len(name) <= 32 else None
    if upstream is None or not upstream.active:
        raise NotFound("There is no such way to sign in.", rule="upstream.name", got=name[:32])
    return upstream


def redirect_uri(upstream: Upstream) -> str:
    """Where the upstream answers: an address that no other upstream has."""
    return f"{current().issuer}/upstream/{upstream.name}/callback"


def leave(upstream: Upstream, errand: Errand, binding: str) -> str:
    """The address at the upstream to which the browser with this binding goes. Raises UpstreamAway, Busy, NotFresh."""
    how = fields.settings(upstream)
    if (errand.fresh or errand.max_age is not None) and not how.reauthentication:
        raise NotFresh(
            f"{how.display_name} cannot ask you to sign in again, which this application wants.",
            rule="upstream.reauthentication", setting="upstream.reauthentication",
        )  # fmt: skip
    provider = providers.of(upstream, how)
    state, nonce, verifier = secret(), secret(), secret()
    kept = {
        **errand.state(), "upstream": str(upstream.id), "issuer": upstream.issuer, "client_id": upstream.client_id,
        "binding": bound(binding), "nonce": nonce, "verifier": verifier, "redirect_uri": redirect_uri(upstream),
        "left": clock.epoch(),
    }  # fmt: skip
    upstream_states.put(state, kept, current().policy.transaction_lifetime)
    asked = {
        "response_type": "code",
        "client_id": upstream.client_id,
        "redirect_uri": kept["redirect_uri"],
        "scope": " ".join(how.scopes),
        "state": state,
        "code_challenge": b64(digest(verifier)),
        "code_challenge_method": "S256",
    }
    if upstream.protocol == fields.OPENID:
        asked |= {"nonce": nonce} | _wishes(errand)
    mark = "&" if "?" in provider.authorization_endpoint else "?"
    return f"{provider.authorization_endpoint}{mark}{urlencode(asked)}"


def _wishes(errand: Errand) -> dict[str, str]:
    """How the upstream is to ask (OpenID Connect Core 1.0 §3.1.2.1)."""
    prompt = [name for name, wanted in (("login", errand.fresh), ("select_account", errand.choose)) if wanted]
    wishes = {"prompt": " ".join(prompt)} if prompt else {}
    if errand.fresh or errand.max_age is not None:
        # Whoever asks by max_age is told auth_time (§2), without which nobody could say that it was heeded.
        wishes["max_age"] = str(0 if errand.max_age is None else errand.max_age)
    if errand.login_hint:
        wishes["login_hint"] = errand.login_hint[:254]
    return wishes


def bound(binding: str) -> str:
    """What ties a state to a browser."""
    return digest(f"upstream|{binding}").hex()
