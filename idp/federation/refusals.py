"""Why a sign-in by an upstream came to nothing. Each has one page with one way on; what was wrong is for operators."""

from idp.errors import Busy, Refusal


class Failed(Refusal):
    """What came back is not what was asked for: not signed so, not for us, not for this browser, not now."""

    code = "upstream_answer_invalid"
    description = "The answer of the other provider could not be used."


class UpstreamAway(Busy):
    """The other provider does not answer, or not in a way that can be read."""

    code = "upstream_away"
    description = "The other provider is not answering. Try again shortly."


class Declined(Refusal):
    """The other provider said no, or the person did there (RFC 6749 §4.1.2.1)."""

    code = "upstream_declined"
    description = "The other provider did not sign you in."


class NotFresh(Refusal):
    """The other provider did not ask the person anew, though the application wants that."""

    code = "upstream_not_fresh"
    description = "The other provider did not ask you to sign in again."


class NoAccount(Refusal):
    """Nobody here is this identity, or whoever is may not come in: nobody can tell which."""

    code = "no_account"
    status = 403
    description = "There is no account here that this sign-in opens."


class Taken(Refusal):
    """Somebody here has this address. They link the identity themselves, signed in: never by the address alone."""

    code = "address_taken"
    status = 403
    description = "An account with your address exists. Sign in to it first and link this sign-in there."


class Linked(Refusal):
    """The identity is another person's already."""

    code = "identity_taken"
    status = 409
    description = "This sign-in is linked with another account."
