"""oidcc-implicit-certification-test-plan."""

from tests.spec.certification.modules import Modules, Plan


class TestImplicit(Modules):
    """Most of the modules twice."""

    PLANS = (Plan("id_token", "fragment"), Plan("id_token token", "fragment"))
