"""The protocol: OAuth 2.0 and OpenID Connect, on Authlib's server.

Owns the rules of every endpoint that speaks them: `server` lists all that is spoken, `authorize` holds the
ordered table of checks, `interaction` decides which page comes next, `issue` is the single mint. Leaves to
others: HTTP (`web`), who a person is (`accounts`), what a client may register (`registration`), keys and
signatures (`signing`). Takes typed requests and gives typed answers; nobody here sees a raw form.
"""
