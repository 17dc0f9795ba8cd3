"""The doors that speak HTTP.

Owns what happens between the server and a room: which host is a tenant's, which gate a route has, how a
request becomes a plain object and a result or a refusal becomes bytes. Leaves every decision about
protocol, people and clients to the rooms. A request comes in through `fast` (bytes kept ready), `environ`
(what the server handed over, made trustworthy), Flask, and the gate of its :class:`~idp.web.gates.Door`.
"""
