"""A relying party: signs people in at one tenant, calls a service for them, refreshes, signs out.

Environment: IDP_ISSUER, CLIENT_ID, CLIENT_SECRET, PORT (8001), SERVICE_URL, SCOPE.
"""

import os
import secrets
from urllib.parse import urlencode

import requests
from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, Response, abort, redirect, render_template, request, session

ISSUER = os.environ["IDP_ISSUER"].rstrip("/")
PORT = int(os.environ.get("PORT", "8001"))
BASE = f"http://localhost:{PORT}"
SERVICE = os.environ.get("SERVICE_URL", "http://localhost:8002").rstrip("/")

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
app.config.update(SESSION_COOKIE_NAME="relying_party", SESSION_COOKIE_SAMESITE="Lax")
idp = OAuth(app).register(
    "idp",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ.get("CLIENT_SECRET"),
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={
        "scope": os.environ.get("SCOPE", "openid profile email offline_access orders.read"),
        "code_challenge_method": "S256",
        "default_timeout": 10,
    },
)
people: dict[str, dict] = {}  # tokens are too many bytes for a cookie, and none of the browser's business


def page(notice: str = "", answer: object = None, status: int = 200) -> tuple[str, int]:
    token = people.get(session.get("id", ""))
    return render_template("page.html", issuer=ISSUER, token=token, notice=notice, answer=answer), status


def signed_in() -> dict:
    return people.get(session.get("id", "")) or abort(redirect("/"))


@app.get("/")
def home() -> tuple[str, int]:
    return page()


@app.get("/sign-in")
def sign_in() -> Response:
    return idp.authorize_redirect(f"{BASE}/callback")


@app.get("/callback")
def callback() -> Response:
    if request.args.get("iss") != ISSUER:  # RFC 9207 section 2.4: another server's answer is not ours
        raise OAuthError("wrong_issuer", "The answer comes from another issuer.")
    token = idp.authorize_access_token()  # checks state, nonce, signature, issuer and audience
    session.clear()
    session["id"] = secrets.token_urlsafe(32)
    people[session["id"]] = token
    return redirect("/")


@app.post("/call")
def call() -> tuple[str, int]:
    bearer = {"Authorization": f"Bearer {signed_in()['access_token']}"}
    answer = requests.get(f"{SERVICE}/orders", headers=bearer, timeout=10)
    return page(f"The service answered {answer.status_code}.", answer.json())


@app.post("/refresh")
def refresh() -> tuple[str, int]:
    token = signed_in()
    token.update(idp.fetch_access_token(grant_type="refresh_token", refresh_token=token["refresh_token"]))
    return page("There is a new access token and a new refresh token.")


@app.post("/sign-out")
def sign_out() -> Response:
    token = people.pop(session.pop("id", ""), {})
    ask = {"id_token_hint": token.get("id_token", ""), "post_logout_redirect_uri": f"{BASE}/"}
    return redirect(f"{idp.load_server_metadata()['end_session_endpoint']}?{urlencode(ask)}", 303)


@app.errorhandler(OAuthError)
def refused(error: OAuthError) -> tuple[str, int]:
    return page(f"{error.error}: {error.description}", status=400)


@app.errorhandler(requests.RequestException)
def unreachable(_: requests.RequestException) -> tuple[str, int]:
    return page("The other side cannot be reached just now.", status=502)


if __name__ == "__main__":
    app.run("127.0.0.1", PORT)
