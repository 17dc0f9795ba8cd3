"""The developers' mail page, `{base}/mail`: what would have been sent. In production it is not there."""

from idp import config
from idp.mail import kept
from idp.web import answers, asked, errors, pages
from idp.web.faces import Letter
from idp.web.gates import Answer, Door, Gate

base = Door("mailbox", __name__, gate=Gate.PUBLIC, page="error")

# What a message says is shown as a mail program would, with nothing that acts and nothing from elsewhere.
_BARE = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups allow-top-navigation-by-user-activation"


@base.route("/mail", credentials=())
def show() -> Answer:
    """The list, one message as text, or its HTML alone."""
    if not config.settings().development:
        return errors.missing()
    query = asked.query()
    found = kept.read(query.get("id", ""))
    if found is not None and query.get("as") == "html":
        response = answers.page(found.html, _BARE)
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response
    letters = tuple(_face(each) for each in kept.every())
    one = _face(found) if found is not None else None
    html, csp = pages.render("mailbox", letters=letters, letter=one, request_id=asked.request_id())
    return answers.page(html, csp)


def _face(each: kept.Kept) -> Letter:
    return Letter(each.name, each.tenant, each.to, each.subject, each.date, each.text)
