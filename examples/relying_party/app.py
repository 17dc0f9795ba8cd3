"""A relying party: signs in at one tenant, calls a service, refreshes, signs out. Settings: see below."""

import os
import secrets

import requests
from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, abort, redirect, render_template, request, session
from joserfc.jws import extract_compact

ISSUER = os.environ["IDP_ISSUER"].rstrip("/")
PORT = int(os.environ.get("PORT", "8001"))
BASE = f"http://localhost:{PORT}"
SERVICE = os.environ.get("SERVICE_URL", "http://localhost:8002")
SCOPE = os.environ.get("SCOPE", "openid profile email offline_access orders.read")

app = Flask(__name__)
app.config.update(SECRET_KEY=secrets.token_bytes(32), SESSION_COOKIE_NAME="rp", SESSION_COOKIE_SAMESITE="Lax")
idp = OAuth(app).register(
    "idp",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ.get("CLIENT_SECRET"),
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", "default_timeout": 10},
)
people: dict[str, dict] = {}  # tokens stay here: too many bytes for a cookie, none of the browser's business


@app.get("/")
def home(notice="", answer=None):
    token = people.get(session.get("id"))
    return render_template("page.html", issuer=ISSUER, token=token, notice=notice, answer=answer)


@app.get("/sign-in")
def sign_in():
    return idp.authorize_redirect(f"{BASE}/callback")


@app.get("/callback")
def callback():
    if request.args.get("iss") != ISSUER:  # RFC 9207 section 2.4: another server's answer is not ours
        raise OAuthError("wrong_issuer", "The answer comes from another issuer.")
    token = idp.authorize_access_token()  # checks state, nonce, signature, issuer and audience
    session["id"] = secrets.token_urlsafe(32)
    people[session["id"]] = {**token, "person": idp.userinfo(token=token)}
    return redirect("/")


@app.post("/call")
def call():
    token = people.get(session.get("id")) or abort(redirect("/"))
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    answer = requests.get(f"{SERVICE}/orders", headers=bearer, timeout=10)
    return home(f"The service answered {answer.status_code}.", answer.json())


@app.post("/refresh")
def refresh():
    token = people.get(session.get("id")) or abort(redirect("/"))
    token.update(idp.fetch_access_token(grant_type="refresh_token", refresh_token=token["refresh_token"]))
    key = extract_compact(token["access_token"].encode()).headers()["kid"]
    return home(f"There is a new access token, signed by key {key}, and a new refresh token.")


@app.post("/sign-out")
def sign_out():
    token = people.pop(session.pop("id", ""), {})
    return idp.logout_redirect(f"{BASE}/", token.get("id_token"), client_id=idp.client_id)


@app.errorhandler(OAuthError)
@app.errorhandler(requests.RequestException)
def failed(error):
    return home(f"That did not work: {error}"), 502 if isinstance(error, requests.RequestException) else 400


if __name__ == "__main__":
    app.run("127.0.0.1", PORT)
