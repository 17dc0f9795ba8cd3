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
    silent = "none" in parameters.get("prompt", "").split() or {"request", "request_uri"} & parameters.keys()
    if answers.without_cookies() and silent:
        # Nobody can be asked, or that is not known yet, and the browser kept its cookies back: a GET brings them.
        return answers.by_get("authorize", [*parameters.items(), *(("resource", each) for each in resources)])
    return answers.go(flow.begin(parameters, resources, browser), binding)
