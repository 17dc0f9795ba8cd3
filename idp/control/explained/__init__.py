"""Why a token is refused: the product's own tables of checks, played to their end, with words for what they found.

Owns: what kind of thing a token is, which tenant it means, and the sentences. Leaves every verdict to the tables
of `signing.own`, `signing.foreign` and `oauth`, which decide in the product too. Nothing of a token is kept,
logged or recorded.
"""
