"""Upstream identity providers: with which of them people may sign in, what is believed of what they say, and of whom.

Owns: what an upstream may be (`fields`), the way to it and back (`departures`, `arrivals`), what is checked of an
answer (`openid`, `oauth2`), and which person of the tenant an identity is (`people`). Leaves to others: pages
(`idp.web`), sessions (`idp.accounts`), the request that somebody signs in for (`idp.oauth`), operators' verbs
(`idp.control`), rows (`idp.store`).

A person is found by issuer and subject and never by an address (OpenID Connect Core 1.0 §5.7).
"""
