"""What the pages of all steps have in common: the step that is due is asked for, never assumed."""

from collections.abc import Callable, Mapping

from flask import Response

from idp.errors import Forbidden
from idp.oauth import flow, underway
from idp.oauth.authorize import Returned
from idp.oauth.flow import Due
from idp.oauth.interaction import Step
from idp.oauth.request import Browser
from idp.oauth.underway import TransactionGone
from idp.web import answers, asked, displays, languages


def show(step: Step, page: Callable[[Due, str], Response]) -> Response:
    """The page, when `step` is what is due; else on to what is. `page` gets the step and the browser's binding."""
    identifier = asked.query().get("tx", "")
    browser, binding = answers.browser(identifier)
    try:
        due = flow.due(identifier, browser)
        _wishes(due.request.params)
        if due.step is not step:
            return answers.go(flow.go_on(due, browser), binding)
    except TransactionGone as gone:
        return answers.stale(identifier, gone)
    except Returned as returned:
        return answers.go(returned.response, binding)
    return page(due, binding)


def submit(act: Callable[[Due, dict[str, str], Browser, str], Response]) -> Response:
    """What a form of this browser's own page does. Raises Forbidden for one that another site has sent."""
    form = asked.page_form()
    identifier = asked.query().get("tx", "")
    browser, binding = answers.browser(identifier)
    if asked.foreign():
        raise Forbidden("This form was sent from another site.", rule="csrf.origin")
    try:
        due = flow.due(identifier, browser)
        _wishes(due.request.params)
        return act(due, form, browser, binding)
    except TransactionGone as gone:
        return answers.stale(identifier, gone)
    except Returned as returned:
        return answers.go(returned.response, binding)


def beside(transaction: str, browser: Browser) -> None:
    """Let a page beside the steps, such as that for a forgotten password, be as the application wants the steps."""
    params = underway.asked(transaction, browser) if transaction else {}
    if params:
        _wishes(params)


def _wishes(params: Mapping[str, str]) -> None:
    """How the application wants its pages (OpenID Connect Core 1.0 §3.1.2.1)."""
    languages.wish(params.get("ui_locales"))
    displays.wish(params.get("display"))


def second(due: Due, page: str) -> str:
    """What the CSRF token of a page about second factors is bound to: this sign-in, and this person in it."""
    session = due.session.user_id if due.session is not None else ""
    return f"{page}|{due.going.identifier}|{due.waiting.id if due.waiting is not None else session}"
