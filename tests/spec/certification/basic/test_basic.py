"""oidcc-basic-certification-test-plan."""

from tests.spec.certification.modules import Modules, Plan


class TestBasic(Modules):
    """response_type=code."""

    PLANS = (Plan("code", "query"),)
