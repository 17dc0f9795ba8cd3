"""A multi-tenant OpenID Connect provider.

Doors (``web``, ``cli``, ``jobs``) receive, rooms (``oauth``, ``accounts``, ``registration``, ``control``)
decide, workshops (``signing``, ``directory``, ``audit`` …) make, the vault (``store``) keeps, and all stand
on the ground (``tenants``, ``config``, ``clock`` …). Imports only go down; ``docs/architecture.md`` is the map.
"""

__version__ = "0.1.0"
