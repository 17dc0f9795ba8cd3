"""The vault: what is kept, and the only code that speaks to Postgres and Redis.

`database` arms row-level security in every transaction, `redis` puts the tenant in every key, `durable`
holds one aggregate a file, `ephemeral` what a flush of Redis may lose. It decides nothing: rules about
tokens, people and clients live in the rooms above.
"""
