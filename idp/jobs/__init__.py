"""The worker: what must be done without anybody asking, one tenant entered at a time.

Owns the loop and the order of the jobs. Leaves each job to its workshop: sealing the audit (`idp.seals`),
delivering the outbox (`idp.outbox`), keys (`idp.signing.rotation`), sweeping (`idp.upkeep`). Any number of
workers may run: each job takes its own lock inside its own transaction, which holds through a pooler too.
"""
