"""The account pages: what people see and do about their own account, at `{issuer}/account`.

Owns the pages of the person gate (`idp.web.persons`). Each is one view that asks `idp.accounts` and answers with a
page, or with a 303 to it after something was done. No page is cached, and every form goes to its own page.
"""

from idp.web.account import (
    applications,
    approval,
    data,
    email,
    factors,
    history,
    identities,
    overview,
    profile,
    security,
    sessions,
)

DOORS = (
    overview.door,
    security.door,
    sessions.door,
    applications.door,
    identities.door,
    history.door,
    email.door,
    profile.door,
    data.door,
    factors.door,
    approval.door,
)
