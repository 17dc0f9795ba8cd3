"""The three kinds of token: how each is made and how ours are read again.

An access token is a JWT (RFC 9068) whose `jti` names the grant it came from, so that whoever asks us learns
at once when that grant, its session, its person or its client has ended. A refresh token is opaque.
"""
