"""The table of checks, gate by gate, in the order in which they are looked at."""

from idp.control.readiness import infrastructure, security

CHECKS = (*infrastructure.CHECKS, *security.CHECKS)
"""Every check there is."""
