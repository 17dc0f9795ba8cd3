"""The pages of the interaction and the two start pages. No page knows the next one: `idp.oauth.flow` does."""

from idp.web.hosted import account, approve, consent, device, home, login, mailbox

DOORS = (
    login.door,
    account.door,
    consent.door,
    approve.door,
    device.door,
    home.door,
    home.base,
    mailbox.base,
)
