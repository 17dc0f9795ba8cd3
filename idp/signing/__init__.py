"""Keys and what they sign.

Owns a tenant's signing keys through their whole life: made and sealed (`envelope`, under a key of the
`ring`), the states they pass through (`keys`, pure functions of time), the plan that replaces them
(`rotation`), the public set (`jwks`), and signing and verifying JWTs (`jwt`, with `cache` in memory beneath).
It alone speaks JOSE. Leaves which claims a token carries to `idp.oauth`, when the plan is carried out to
`idp.jobs`, and the rows to `idp.store.durable.signing_keys`.
"""
