"""oidcc-hybrid-certification-test-plan."""

from tests.spec.certification.modules import Modules, Plan


class TestHybrid(Modules):
    """The list of Basic three times, in the fragment."""

    PLANS = tuple(Plan(each, "fragment") for each in ("code id_token", "code token", "code id_token token"))
