"""/authorize (RFC 6749 §3.1, OpenID Connect Core 1.0 §3.1.2): GET, or POST of a form."""

from flask import Response

from idp.oauth import flow
from idp.web import answers, asked
from idp.web.gates import Door, Gate

door = Door("authorize", __name__, gate=Gate.TENANT, page="authorization_error")


@door.route(
    "/authorize",
    methods=("GET", "POST"),
    credentials=("cookie", "client_id", "id_token", "request_object", "par_uri"),
)
def authorize() -> Response:
    """Judge an authorization request: a page is due, or an answer goes back to the client."""
    parameters, resources = asked.authorization_parameters()
    browser, binding = answers.browser()
    if answers.without_cookies() and "none" in parameters.get("prompt", "").split():
        # Nobody can be asked, and the browser kept its cookies back: a GET of its own brings them.
        return answers.by_get("authorize", [*parameters.items(), *(("resource", each) for each in resources)])
    return answers.go(flow.begin(parameters, resources, browser), binding)
