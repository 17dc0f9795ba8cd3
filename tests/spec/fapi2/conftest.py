"""The tenant of the certification blueprint, which has FAPI clients as well."""

from tests.spec.certification.conftest import certification as certification
