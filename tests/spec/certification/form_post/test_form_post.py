"""oidcc-formpost-basic, -implicit and -hybrid-certification-test-plan."""

from tests.spec.certification.modules import Modules, Plan


class TestFormPost(Modules):
    """Every response type, by a form and in no address; errors as well."""

    PLANS = tuple(
        Plan(each, "form_post")
        for each in (
            "code",
            "id_token",
            "id_token token",
            "code id_token",
            "code token",
            "code id_token token",
        )
    )
