"""The rules of an authorization request: one function a rule, those of one parameter together in a file.

A check reads the pending request, refuses by raising, and may add what it has made sure of. In which order
they play, and at which endpoints, stands in the table of `idp.oauth.authorize`.
"""
