"""Measures this provider beside a peer, at many tenants, and the price of its tenant wall.

Owns what it takes to measure: a peer, load scripts, preparation through the real flow, tables and dated
results. It uses the product only as an operator would (the `idp` command and HTTP), except in `wall`, which
asks for signed contexts.
"""
