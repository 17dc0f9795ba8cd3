"""People: how they prove who they are, how long that counts, and what is told about them.

Owns: passwords and their cost, the one way in (`authenticate`), sessions, consent, and the claims that a
user's attributes, groups and roles become. Leaves to others: pages and cookies (`idp.web`), protocol rules
and tokens (`idp.oauth`), creating and changing people (`idp.control`), what is on disk (`idp.store`).
"""
