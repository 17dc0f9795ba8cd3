"""Recovery codes, shown once in the sign-in that made them, to be printed, copied or saved."""

from flask import Response

from idp.accounts import recovery_codes
from idp.errors import Forbidden
from idp.oauth import second_factor
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.tenants import current
from idp.web import answers, asked, csrf, pages
from idp.web.gates import Door, Gate
from idp.web.hosted import steps
from idp.web.languages import _

door = Door("codes", __name__, gate=Gate.TENANT, page="error")


@door.route("/interaction/codes", credentials=("cookie",))
def show() -> Response:
    """The page, while the codes are to be put away; else on to what is due."""
    return steps.show(Step.CODES, _page)


@door.route("/interaction/codes", methods=("POST",), credentials=("cookie", "csrf"), endpoint="submit")
def submit() -> Response:
    """Go on, or save them as a file first."""
    return steps.submit(_done)


def _done(due: Due, form: dict[str, str], browser: Browser, binding: str) -> Response:
    if not csrf.good(form.get("csrf"), binding, steps.second(due, "codes")):
        raise Forbidden("This page is too old. Go back and try again.", rule="csrf")
    if form.get("action") == "save" and due.step is Step.CODES:
        return _file(second_factor.codes_of(due))
    return answers.go(second_factor.put_away(due, browser), binding)


def _file(codes: tuple[str, ...]) -> Response:
    """The codes as a text file that is saved and stored nowhere else."""
    heading = (_("Recovery codes for %(tenant)s", tenant=current().name), _("Each works once."))
    response = Response(recovery_codes.as_text(heading, codes), mimetype="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="recovery-codes-{current().slug}.txt"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(due: Due, binding: str) -> Response:
    html, csp = pages.render(
        "codes",
        tenant=pages.face(current()),
        client=None if due.going.own else answers.client_face(due.client, due.request.redirect_uri),
        csrf=csrf.token(binding, steps.second(due, "codes")),
        action=answers.step_address(Step.CODES, due.going.identifier),
        codes=tuple(map(recovery_codes.spoken, second_factor.codes_of(due))),
        user=answers.person(due.session),
        request_id=asked.request_id(),
        form_action=answers.targets(due.request),
    )
    return answers.page(html, csp, binding=binding)
