"""The table of checks, gate by gate, in the order in which they are looked at."""

from idp.control.readiness import infrastructure, integration, performance, security

CHECKS = (*infrastructure.CHECKS, *security.CHECKS, *integration.CHECKS, *performance.CHECKS)
"""Every check there is."""
