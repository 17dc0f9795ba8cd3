"""The proof that no tenant reaches another, made against a running deployment by a stranger to it.

Owns the promises of isolation, each a sentence with a probe, and what the probes need: two canary tenants,
raw SQL, raw Redis, HTTP. It imports nothing of the product, because a verifier that shares code with what it
verifies proves nothing: what it has to know it learns from the public commands, run as processes.
"""
