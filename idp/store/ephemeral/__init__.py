"""Redis: what a flush may lose, one kind a file.

Every value repeats its tenant and kind and is checked on reading; keys hold digests, never a secret. Redis'
own times only sweep up: whatever has a lifetime carries it inside and is judged by the application's clock.
"""

from idp.store.redis import flush, gathering

__all__ = ["flush", "gathering"]
