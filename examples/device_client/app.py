"""A program without a browser: it shows a code, waits until its owner has allowed it elsewhere, and says who that is.

RFC 8628. IDP_ISSUER, CLIENT_ID and, for a client that has one, CLIENT_SECRET; SCOPE is "openid profile" by default.
"""

import os
import sys
import time

import requests

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ISSUER = os.environ["IDP_ISSUER"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ.get("CLIENT_SECRET")
SCOPE = os.environ.get("SCOPE", "openid profile")


def discovered() -> dict[str, str]:
    """The provider's endpoints, once it has named itself as the issuer that was asked for."""
    found = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
    if found["issuer"] != ISSUER:
        sys.exit(f"{ISSUER} says that it is {found['issuer']}")
    return dict(found)


def post(address: str, form: dict[str, str]) -> requests.Response:
    """A request of this client."""
    if CLIENT_SECRET:
        return requests.post(address, form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=10)
    return requests.post(address, {"client_id": CLIENT_ID, **form}, timeout=10)


def waited(address: str, told: dict[str, str]) -> dict[str, str]:
    """The tokens, once somebody has allowed it; asks as often as it may and no more (section 3.5)."""
    interval, ends = int(told.get("interval", 5)), time.monotonic() + int(told["expires_in"])
    while time.monotonic() < ends:
        time.sleep(interval)
        answer = post(address, {"grant_type": GRANT, "device_code": told["device_code"]})
        body = answer.json()
        if answer.ok:
            return dict(body)
        if body["error"] == "slow_down":
            interval += 5
        elif body["error"] != "authorization_pending":
            sys.exit(body.get("error_description", body["error"]))
    sys.exit("Nobody answered in time.")


def main() -> None:
    """Ask, show, wait, and say who allowed it."""
    endpoints = discovered()
    answer = post(endpoints["device_authorization_endpoint"], {"scope": SCOPE})
    if not answer.ok:
        sys.exit(answer.text)
    told = answer.json()
    print(f"Open {told['verification_uri']} and type {told['user_code']}", flush=True)
    tokens = waited(endpoints["token_endpoint"], told)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    person = requests.get(endpoints["userinfo_endpoint"], headers=bearer, timeout=10).json()
    print(f"Signed in as {person.get('name', person['sub'])}", flush=True)


if __name__ == "__main__":
    main()
