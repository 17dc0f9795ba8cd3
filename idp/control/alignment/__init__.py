"""Whether two environments are alike: a fingerprint of one, and what differs from the fingerprint of another.

Owns: what belongs into a fingerprint, the format of its file, and which difference matters how much. A fingerprint
holds no secret, no password, no key, and nothing of any person.
"""
