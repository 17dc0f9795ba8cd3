"""The pages of the interaction and the two start pages. No page knows the next one: `idp.oauth.flow` does."""

from idp.web.hosted import (
    account,
    approve,
    codes,
    confirm,
    consent,
    device,
    enrol,
    home,
    join,
    login,
    mailbox,
    mfa,
    recover,
    upstream,
    waiting,
)

DOORS = (
    login.door,
    account.door,
    mfa.door,
    enrol.door,
    codes.door,
    consent.door,
    recover.door,
    join.door,
    confirm.door,
    approve.door,
    waiting.door,
    waiting.hook,
    device.door,
    home.door,
    home.base,
    mailbox.base,
    upstream.door,
)
