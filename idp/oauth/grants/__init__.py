"""The grants of the token endpoint, one a file, on Authlib's grant classes.

Each proves its own thing, burns it atomically, and goes through `idp.oauth.issue` for everything after.
"""
