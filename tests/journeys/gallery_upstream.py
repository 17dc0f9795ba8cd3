"""The pages on the way to other providers and back, in their states."""

from typing import Any

from idp.web.upstream_faces import ProviderFace

KINDS = ("taken", "linked", "nobody", "not_fresh", "declined", "away", "failed")


def providers(base: str) -> tuple[ProviderFace, ...]:
    """One button of each look."""
    known = (("Google", "google"), ("Microsoft", "entra"), ("Okta", "okta"), ("GitHub", "github"))
    long = ("The Ministry of Agriculture, Fisheries and Forests of Upper Somewhere", "")
    address = f"{base}/t/acme/interaction/upstream?tx=x&to="
    return tuple(
        ProviderFace(label, f"{address}{number}", mark) for number, (label, mark) in enumerate((*known, long))
    )


def states(tenant: Any, base: str, request_id: str) -> dict[str, tuple[str, dict[str, object]]]:
    """State name -> (page name, context)."""
    plain = {"tenant": tenant, "request_id": request_id, "code": "upstream_answer_invalid",
             "continue_url": f"{base}/t/acme/interaction/login?tx=x"}  # fmt: skip
    made: dict[str, tuple[str, dict[str, object]]] = {
        f"upstream-{kind.replace('_', '-')}": ("upstream", plain | {"kind": kind, "provider": "Google"})
        for kind in KINDS
    }
    made["upstream-unknown"] = ("upstream", plain | {"kind": "failed", "provider": ""})
    # It goes on to itself, so that it stays to be looked at.
    made["onward"] = ("onward", {"tenant": tenant, "continue_url": f"{base}/look/onward#"})
    return made
