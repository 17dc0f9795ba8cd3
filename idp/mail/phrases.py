"""What has happened to an account, as a whole sentence in the language of the moment."""

from enum import StrEnum

from idp.speech import _


class What(StrEnum):
    """Everything that people are told of after it happened."""

    PASSWORD_ON_PAGE = "password_on_page"
    PASSWORD_BY_LINK = "password_by_link"
    APP_ADDED = "app_added"
    APP_REMOVED = "app_removed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    CODES_MADE = "codes_made"
    FACTOR_SET_UP = "factor_set_up"
    FACTORS_RESET = "factors_reset"
    TEMPORARY_CODE = "temporary_code"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"


def sentence(what: What, tenant: str) -> str:
    """The sentence; `tenant`: the name of whose account it is."""
    match what:
        case What.PASSWORD_ON_PAGE:
            return _(
                "Somebody changed the password of your %(tenant)s account on its account page.", tenant=tenant
            )
        case What.PASSWORD_BY_LINK:
            return _(
                "Somebody changed the password of your %(tenant)s account by a link in an e-mail.",
                tenant=tenant,
            )
        case What.APP_ADDED:
            return _("An authenticator app was added to your %(tenant)s account.", tenant=tenant)
        case What.APP_REMOVED:
            return _("The authenticator app of your %(tenant)s account was removed.", tenant=tenant)
        case What.PASSKEY_ADDED:
            return _("A passkey was added to your %(tenant)s account.", tenant=tenant)
        case What.PASSKEY_REMOVED:
            return _("A passkey of your %(tenant)s account was removed.", tenant=tenant)
        case What.CODES_MADE:
            return _("New recovery codes were made for your %(tenant)s account.", tenant=tenant)
        case What.FACTOR_SET_UP:
            return _("A second factor was set up for your %(tenant)s account.", tenant=tenant)
        case What.FACTORS_RESET:
            return _("An administrator removed all second factors of your %(tenant)s account.", tenant=tenant)
        case What.IDENTITY_LINKED:
            return _("An account elsewhere was linked with your %(tenant)s account.", tenant=tenant)
        case What.IDENTITY_UNLINKED:
            return _("An account elsewhere was unlinked from your %(tenant)s account.", tenant=tenant)
        case What.TEMPORARY_CODE:
            return _(
                "An administrator made a code that stands in once for a second factor of your %(tenant)s account.",
                tenant=tenant,
            )
