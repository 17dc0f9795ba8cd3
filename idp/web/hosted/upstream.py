"""The way to an upstream and back. It begins at a link of the sign-in page and ends where the sign-in goes on.

The browser leaves by a GET: a form that led there would be bound by `form-action` to addresses that nobody knows
beforehand. It comes back by a GET as well (`response_mode=query`), which brings the cookies along.
"""

from datetime import datetime

from flask import Response

from idp import clock, throttle
from idp.errors import Refusal, TooMany
from idp.federation import arrivals, departures, fields, people
from idp.federation.arrivals import Arrival
from idp.federation.departures import Errand
from idp.federation.profile import Profile
from idp.federation.refusals import Declined, Failed, Linked, NoAccount, NotFresh, Taken, UpstreamAway
from idp.oauth import flow
from idp.oauth.authorize import Returned
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.oauth.underway import TransactionGone
from idp.tenants import current
from idp.web import answers, asked, errors, pages
from idp.web.account import identities
from idp.web.gates import Door, Gate
from idp.web.hosted import steps
from idp.web.languages import _

door = Door("upstream", __name__, gate=Gate.TENANT, page="error")

_KINDS: tuple[tuple[type[Refusal], str], ...] = (
    (Taken, "taken"),
    (Linked, "linked"),
    (NoAccount, "nobody"),
    (NotFresh, "not_fresh"),
    (Declined, "declined"),
    (UpstreamAway, "away"),
    (Failed, "failed"),
)


@door.route("/interaction/upstream", credentials=("cookie",))
def leave() -> Response:
    """On to the upstream that `to` names, when signing in is what is due; else on to what is."""
    return steps.show(Step.LOGIN, _leave)


def _leave(due: Due, binding: str) -> Response:
    query = asked.query()
    upstream = departures.named(query.get("to", ""))
    request = due.request
    errand = Errand(
        transaction=due.going.identifier,
        fresh="login" in request.prompt,
        max_age=request.max_age,
        choose="select_account" in request.prompt or due.going.same is False,
        login_hint=query.get("hint", "") or request.login_hint or "",
    )
    address = asked.address()
    retry = throttle.failed("unfinished", address)
    if retry is not None:
        raise TooMany(
            retry_after=retry, rule="throttle.unfinished", setting="policy.unfinished_authorizations"
        )
    try:
        return answers.see_other(departures.leave(upstream, errand, binding))
    except (UpstreamAway, NotFresh) as refusal:
        return _page(refusal, fields.settings(upstream).display_name, errand.transaction)


@door.route("/upstream/<upstream>/callback", credentials=("cookie", "upstream_state"))
def callback(upstream: str) -> Response:
    """Back from an upstream: the sign-in goes on, or a page says why not and how else."""
    answer = asked.query()
    with arrivals.place():  # before anything is burned, so that who finds none comes again
        return answers.beyond(_back(upstream, answer))


def _back(upstream: str, answer: dict[str, str]) -> Response:
    _, binding = answers.browser()
    try:
        arrival = arrivals.take(upstream, answer, binding)
    except Failed as refusal:
        return _page(refusal, "", "")
    browser, _ = answers.browser(arrival.errand.transaction)
    throttle.forgive("unfinished", browser.address)
    try:
        if arrival.errand.user_id is not None:
            return identities.arrived(arrival, answer, browser, binding)
        due = flow.due(arrival.errand.transaction, browser)
        if due.step is not Step.LOGIN:
            return answers.go(flow.go_on(due, browser), binding)
        return _signed_in(arrival, answer, due, browser, binding)
    except TransactionGone as gone:
        return answers.stale(arrival.errand.transaction, gone)
    except Returned as returned:
        return answers.go(returned.response, binding)
    except (Taken, NoAccount, NotFresh, Declined, UpstreamAway, Linked, Failed) as refusal:
        provider, to_account = (
            fields.settings(arrival.upstream).display_name,
            arrival.errand.user_id is not None,
        )
        return _page(refusal, provider, arrival.errand.transaction, to_account=to_account)


def _signed_in(
    arrival: Arrival, answer: dict[str, str], due: Due, browser: Browser, binding: str
) -> Response:
    profile = arrivals.profile(arrival, answer)
    user = people.settled(arrival.upstream, profile, browser.address)
    auth_time = _auth_time(profile)
    since = max((each for each in (user.not_before, current().not_before) if each is not None), default=None)
    if auth_time is not None and since is not None and auth_time < since:
        # What was proved before the credentials changed counts for nothing since: it is proved anew, once.
        return _again(arrival, binding)
    return answers.entered(due, flow.sign_in(due, user, profile.amr, browser, auth_time), binding)


def _auth_time(profile: Profile) -> datetime | None:
    """When the person signed in at the upstream, where it says so; never later than now."""
    return None if profile.auth_time is None else min(profile.auth_time, clock.now())


def _again(arrival: Arrival, binding: str) -> Response:
    if arrival.errand.again:
        raise NotFresh(rule="upstream.not_before", expected="a sign-in after the credentials changed")
    errand = Errand(
        transaction=arrival.errand.transaction, fresh=True, max_age=arrival.errand.max_age, again=True
    )
    return answers.see_other(departures.leave(arrival.upstream, errand, binding))


def _page(refusal: Refusal, provider: str, transaction: str, *, to_account: bool = False) -> Response:
    """What went wrong, and the way on: where the person left from, or, where that is lost, the start page."""
    errors.note(refusal)
    steps.beside(transaction, answers.browser()[0])
    kind = next(kind for known, kind in _KINDS if isinstance(refusal, known))
    back, label = f"{current().issuer}/", _("Go to the start page")
    if to_account:
        back, label = f"{current().issuer}/{identities.PATH}", _("Back to your account")
    elif transaction:
        back, label = f"{answers.step_address(Step.LOGIN, transaction)}&stay=1", _("Back to the sign-in")
    html, csp = pages.render(
        "upstream",
        kind=kind,
        provider=provider,
        code=refusal.code,
        description=refusal.description,
        tenant=pages.face(current()),
        continue_url=back,
        continue_label=label,
        request_id=asked.request_id(),
        details=errors.details(refusal),
    )
    response = answers.page(html, csp, status=refusal.status)
    if refusal.status == 503:
        response.headers["Retry-After"] = refusal.headers.get("Retry-After", "5")
    return response
