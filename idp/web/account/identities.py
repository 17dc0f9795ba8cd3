"""Identities: the accounts elsewhere with which a person signs in, one more of them, one less.

It begins with a form of this page and a fresh sign-in, because whoever could make a browser link would link an
account of theirs; the way there and back is that of a sign-in (`idp.web.hosted.upstream`).
"""

from collections.abc import Mapping
from uuid import UUID

from flask import Response

from idp import clock
from idp.accounts import people, sessions
from idp.accounts.ways_in import LastWayIn
from idp.federation import arrivals, departures, fields, linking, offers
from idp.federation.arrivals import Arrival, Lost
from idp.federation.departures import Errand
from idp.federation.linking import Known
from idp.oauth.request import Browser
from idp.web import answers
from idp.web.account import answering
from idp.web.account_faces import LinkedIdentity
from idp.web.gates import Door, Gate
from idp.web.languages import _
from idp.web.persons import Visit
from idp.web.upstream_faces import ProviderFace

door = Door("account_identities", __name__, gate=Gate.PERSON, page="error")

SECTION = "account/security"
PATH = "account/identities"


@door.route("/account/identities", credentials=("cookie",))
def show(visit: Visit) -> Response:
    """With which accounts elsewhere I sign in."""
    return _page(visit)


@door.route(
    "/account/identities", methods=("POST",), credentials=("cookie", "csrf"), endpoint="change", fresh=True
)
def change(visit: Visit) -> Response:
    """Leave for an upstream to link an account there, or take one away."""
    what, which = visit.form.get("action", "").partition(":")[::2]
    if what == "link":
        upstream = departures.named(which)
        # Whoever must be asked anew is asked here: there, they choose which account it is to be.
        errand = Errand(user_id=visit.user.id, session_id=visit.session.id, choose=True)
        return answers.beyond(answers.see_other(departures.leave(upstream, errand, visit.binding)))
    try:
        gone = linking.unlink(visit.user, UUID(which[:36]), visit.browser.address)
    except ValueError:
        gone = None
    except LastWayIn as refusal:
        return _page(visit, error=refusal.sentence)
    if gone is None:
        return answering.done(visit, PATH, _("That account was not linked any more."))
    return answering.done(
        visit, PATH, _("%(provider)s does not open your account any more.", provider=gone.provider)
    )


def arrived(arrival: Arrival, answer: Mapping[str, str], browser: Browser, binding: str) -> Response:
    """Back from the upstream: link what was brought, for whoever left and is still signed in. Raises Refusal."""
    session = sessions.read(browser.session_token)
    user = people.of(session.user_id) if session is not None else None
    errand = arrival.errand
    if session is None or user is None or (session.id, user.id) != (errand.session_id, errand.user_id):
        raise Lost(rule="upstream.session", expected="the session that left", got="none, or another one")
    profile = arrivals.profile(arrival, answer)
    linking.link(arrival.upstream, user.id, profile, browser.address)
    visit = Visit(user, session, browser, binding, PATH, {})
    provider = fields.settings(arrival.upstream).display_name
    return answering.done(visit, PATH, _("%(provider)s opens your account from now on.", provider=provider))


def _page(visit: Visit, error: str = "") -> Response:
    known = linking.of(visit.user)
    free = tuple(ProviderFace(each.display_name, f"link:{each.name}", each.preset) for each in offers.every())
    return answering.page(
        visit, "identities", SECTION, status=409 if error else 200, error=error,
        identities=tuple(map(_face, known)), providers=free, now=clock.now(),
    )  # fmt: skip


def _face(known: Known) -> LinkedIdentity:
    one = known.identity
    return LinkedIdentity(
        id=str(one.id), provider=known.provider, mark=known.preset, name=one.shown, since=one.created_at,
        used=one.used_at, active=known.active,
    )  # fmt: skip
