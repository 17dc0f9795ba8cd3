"""What applications have asked for over the back channel and waits for the person who signs in: `{issuer}/approve`.

Each leads to the page on which it is allowed or not; nothing is answered here. In development a test may answer for
people (`{issuer}/test/ciba`); in production there is no such thing.
"""

from flask import Response

from idp import clock, config
from idp.accounts import people
from idp.errors import InvalidRequest
from idp.oauth import elsewhere, flow
from idp.tenants import current
from idp.web import answers, asked, errors, pages
from idp.web.elsewhere_faces import Asked
from idp.web.gates import Answer, Door, Gate
from idp.web.persons import Visit

door = Door("waiting", __name__, gate=Gate.PERSON, page="error")
hook = Door("test_hook", __name__, gate=Gate.TENANT)


@door.route("/approve", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """What waits, the oldest first."""
    found = tuple(
        Asked(
            name,
            client.name,
            request.elsewhere.message or "" if request.elsewhere else "",
            max(0, clock.epoch() - request.elsewhere.asked) if request.elsewhere else 0,
        )
        for name, request, client in elsewhere.waiting_for(visit.user)
    )
    html, csp = pages.render(
        "waiting",
        tenant=pages.face(current()),
        user=people.name_of(visit.user),
        csrf=visit.csrf(),
        action=f"{current().issuer}/approve",
        requests=found,
        request_id=asked.request_id(),
    )
    return answers.page(html, csp, binding=visit.binding)


@door.route("/approve", methods=("POST",), credentials=("cookie", "csrf"), endpoint="submit")
def submit(visit: Visit) -> Response:
    """On to the page of one of them."""
    wanted = visit.form.get("action", "")
    for name, _, _ in elsewhere.waiting_for(visit.user):
        if name == wanted:
            return answers.go(flow.answer(name, visit.browser), visit.binding)
    return answers.see_other(f"{current().issuer}/approve")


@hook.route("/test/ciba", methods=("POST",), credentials=("auth_req_id",))
def decide() -> Answer:
    """Answer a request as its person would: development alone, for tests that have nobody to press a button."""
    if not config.settings().development:
        return errors.missing()
    said = asked.parameters()
    if said.get("action") not in ("allow", "deny"):
        raise InvalidRequest("action must be allow or deny.", rule="test_hook.action")
    browser, _ = answers.browser()
    done = elsewhere.answered_for(said.get("auth_req_id", ""), browser, allow=said["action"] == "allow")
    if not done:
        raise InvalidRequest("Nothing waits under this auth_req_id.", rule="test_hook.known")
    return Response(status=204)
