"""Tenant contexts that must open nothing, made from the good ones of the canaries without any key."""

import hmac

from idp.prove.target import Canary


def bad(a: Canary, b: Canary) -> dict[str, str]:
    """Bad contexts by what is wrong with them; the first of each kind is tried with every verb."""
    version, name, _tenant, expiry, mac = a.context.split(".")
    _, _, tenant, later, _ = b.context.split(".")
    own = f"v1.{name}.{tenant}.{expiry}"
    return {
        "garbage": "garbage",
        "expired": b.expired,
        "forged": f"{version}.{name}.{tenant}.{expiry}.{mac}",
        "a bare tenant": tenant,
        "five empty parts": "....",
        "no signature": f"{own}.",
        "an expired one with a later end": b.expired.replace(f".{b.expired.split('.')[3]}.", f".{later}."),
        "a signature of zeros": f"{own}.{'0' * 64}",
        "a signature in capitals": b.context[: -len(mac)] + b.context[-len(mac) :].upper() + "0",
        "an unknown key": f"v1.nokey.{tenant}.{expiry}.{mac}",
        "a key of one's own": f"{own}.{hmac.digest(b'k' * 32, own.encode(), 'sha256').hex()}",
        "a plain digest": f"{own}.{hmac.digest(b'', own.encode(), 'sha256').hex()}",
        "another version": f"v2.{b.context[3:]}",
        "an end without end": f"v1.{name}.{tenant}.Infinity.{mac}",
        "quoting": f"v1.{name}.' OR true --.{expiry}.{mac}",
        "one part too many": f"{b.context}.x",
        "a blank before it": f" {b.context}",
    }


WITH_EVERY_VERB = ("garbage", "expired", "forged")
