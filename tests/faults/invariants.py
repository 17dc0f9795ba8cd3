"""What must hold after every fault, checked by one function.

I1 no acknowledged write is lost · I2 nothing single-use is used twice · I3 nobody unauthenticated or foreign comes in ·
I4 no 5xx but 503 with Retry-After · I5 it recovers without a restart of ours.
"""

import time
from typing import Any

from idp import throttle
from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party

RECOVERY = 30.0
"""Seconds of waiting for I5, on a machine busy with other things (F01 asks for five after Postgres is ready)."""

TWICE = {
    "a code became two grants": "SELECT code_digest FROM grants GROUP BY 1 HAVING count(*) > 1",
    "a grant was redeemed twice": "SELECT facts->>'grant_id' FROM audit_log WHERE event = 'code.redeemed' "
    "GROUP BY 1 HAVING count(*) > 1",
    "a refresh token has two successors": "SELECT grant_id, generation FROM refresh_tokens GROUP BY 1, 2 "
    "HAVING count(*) > 1",
    "a grant without its event": "SELECT id FROM grants g WHERE NOT EXISTS (SELECT FROM audit_log a "
    "WHERE a.event = 'code.redeemed' AND a.facts->>'grant_id' = g.id::text)",
}


class Watched:
    """The application, remembering how it answered."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.answers: list[tuple[str, int, str | None]] = []

    def test_client(self) -> Any:
        """A client of it whose answers are remembered."""
        client = self.app.test_client()
        plain = client.open

        def opened(*args: Any, **kwargs: Any) -> Any:
            answer = plain(*args, **kwargs)
            path = str(args[0]) if args and isinstance(args[0], str) else "?"
            self.answers.append(
                (path.partition("?")[0], answer.status_code, answer.headers.get("Retry-After"))
            )
            return answer

        client.open = opened
        return client


class Witness:
    """A relying party with people, who remember what they were promised."""

    def __init__(self, app: Any, tenant: Tenant, other: Tenant, database: Any) -> None:
        """`database`: as superuser. One person of each tenant signs in at once, before any fault."""
        throttle.forget()
        self.watched = Watched(app)
        self.rp: RelyingParty = relying_party(self.watched, tenant)
        self.stranger: RelyingParty = relying_party(self.watched, other)
        self.database = database
        self.browser = self.rp.browser()
        self.kept: list[dict[str, Any]] = [self.rp.sign_in(browser=self.browser)]
        self.foreign = self.stranger.sign_in()
        self.used: list[tuple[str, str]] = []
        self.revoked: list[str] = []

    def act(self) -> None:
        """One of everything, whatever comes of it; what is acknowledged is remembered."""
        visit = self.rp.authorize(self.browser, prompt="none")
        if visit.answer.status_code == 303 and "code=" in visit.location:
            code, verifier = visit.code, self.rp.verifier
            answer = self.rp.redeem(code)
            if answer.status_code == 200:
                self.kept.append(answer.get_json())
                self.used.append((code, verifier))
        tokens = self.kept[-1]
        answer = self.rp.refresh(tokens["refresh_token"])
        if answer.status_code == 200:
            tokens.update(answer.get_json())
        self.rp.userinfo(tokens["access_token"])
        self.rp.post("introspect", {"token": tokens["access_token"]})
        for document in ("jwks.json", ".well-known/openid-configuration"):
            path = f"/t/{self.rp.tenant.slug}/{document}"
            assert self.watched.test_client().get(path).status_code == 200, document
        self.nobody_comes_in()

    def revoke(self) -> None:
        """Give up one grant; once acknowledged it stays given up."""
        if len(self.kept) > 1:
            tokens = self.kept.pop(0)
            if self.rp.post("revoke", {"token": tokens["refresh_token"]}).status_code == 200:
                self.revoked.append(tokens["access_token"])
            else:
                self.kept.insert(0, tokens)

    def nobody_comes_in(self) -> None:
        """I3, also while the fault lasts."""
        for token in ("", "forged", self.foreign["access_token"]):
            assert self.rp.userinfo(token).status_code in (401, 503)
        assert self.rp.refresh(self.foreign["refresh_token"]).status_code in (400, 429, 503)

    def check(self) -> None:
        """I1 to I5, once the fault is over."""
        end = time.monotonic() + RECOVERY
        while missing := self._missing():
            assert time.monotonic() < end, f"I5: not recovered: {missing}"
            time.sleep(0.2)
        for tokens in self.kept:
            assert self.rp.userinfo(tokens["access_token"]).status_code == 200, "I1: a token was lost"
        for token in self.revoked:
            assert self.rp.introspect(token) == {"active": False}, "I1: a revocation was lost"
        assert "code" in self.rp.authorize(self.browser, prompt="none").params, "I1: a session was lost"
        for sentence, query in TWICE.items():
            assert self.database(query) == [], f"I2: {sentence}"
        for code, verifier in self.used[-2:]:
            assert self.rp.redeem(code, code_verifier=verifier).status_code == 400, (
                "I2: a code was used twice"
            )
        self.nobody_comes_in()
        bad = [
            one
            for one in self.watched.answers
            if one[1] >= 500 and not (one[1] == 503 and int(one[2] or 0) >= 1)
        ]
        assert bad == [], "I4"

    def _missing(self) -> str:
        """What does not work again yet, with its answer; "" when everything does."""
        throttle.forget()
        tokens = self.kept[-1]
        for what, ask in {
            "userinfo": lambda: self.rp.userinfo(tokens["access_token"]),
            "refresh": lambda: self.rp.refresh(tokens["refresh_token"]),
            "sign-in": lambda: self.rp.authorize(prompt="login").login("alice").answer,
        }.items():
            answer = ask()
            if what == "refresh" and answer.status_code == 200:
                tokens.update(answer.get_json())
            if answer.status_code not in (200, 303) or (what == "sign-in" and "code=" not in answer.location):
                return f"{what} answered {answer.status_code}"
        return ""
