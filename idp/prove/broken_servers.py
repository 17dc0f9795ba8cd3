"""Ways to break the server: each a text of its source that is replaced, and the promises that ought to notice.

A text that stands in its file not exactly once is an error: the mutant no longer breaks what it says.
"""

from dataclasses import dataclass

Change = tuple[str, str, str]
"""A file of the package, a text in it, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Server:
    """One broken server."""

    name: str
    changes: tuple[Change, ...]
    tried: tuple[str, ...]
    """Codes of the promises that are tried, until the first of them turns red."""


_CHECK = ("store/redis.py", 'or outer.get("t") != str(current().id) or', "or")
_NAMESPACE = (
    "store/redis.py",
    'return f"idp:{{{tenant_id or current().id}}}:{kind}:{identifier}"',
    'return f"idp:{kind}:{identifier}"',
)
_ASKED = 'kept = self._entries.get((environ.get("HTTP_HOST", ""), environ["PATH_INFO"]))'

SERVERS = (
    Server(
        "a cache of clients without the tenant",
        (
            ("directory.py", "def _here() -> _Known | None:\n    return _directory.known.get(current().id)",
             "def _here(shared: dict[int, Any] = {}) -> Any:\n"
             "    return shared.setdefault(0, _directory.known.get(current().id))"),
        ),
        ("memories", "outside_credentials"),
    ),
    Server(
        "a cache of keys without the tenant",
        (
            ("signing/cache.py",
             "    tenant = tenant or current()\n    known = _sets.get(tenant.id)\n",
             "    tenant = tenant or current()\n    for kept in map(_sets.get, _sets.everyone()):\n        if kept:\n"
             "            return kept\n    known = _sets.get(tenant.id)\n"),
        ),
        ("memories",),
    ),
    Server("a store without a namespace", (_NAMESPACE,), ("redis_keys",)),
    Server("a value that nobody checks on reading", (_CHECK,), ("redis_values",)),
    Server("sessions and codes of any tenant", (_NAMESPACE, _CHECK), ("outside_credentials",)),
    Server(
        "documents kept by path, whatever the host",
        (
            ("web/fast.py", _ASKED, 'kept = self._entries.get(("", environ["PATH_INFO"]))'),
            ("web/fast.py", "self._keep((host, path), fresh)", 'self._keep(("", path), fresh)'),
        ),
        ("kept_documents",),
    ),
    Server(
        "documents kept by host and last name",
        (
            ("web/fast.py", _ASKED,
             'kept = self._entries.get((environ.get("HTTP_HOST", ""), environ["PATH_INFO"].rpartition("/")[2]))'),
            ("web/fast.py", "self._keep((host, path), fresh)", 'self._keep((host, path.rpartition("/")[2]), fresh)'),
        ),
        ("memories",),
    ),
    Server(
        "any host is the platform's own",
        (("web/environ.py", "if host == self._base or path in ANY_HOST:", "if host or path in ANY_HOST:"),),
        ("kept_documents",),
    ),
    Server(
        "a tenant named by a header",
        (("web/gates.py", "tenant = directory.resolve(slug)",
          'tenant = directory.resolve(environ.get("HTTP_X_TENANT") or slug)'),),
        ("outside_addresses",),
    ),
    Server(
        "a form whose gate is open",
        (("web/protocol/logout.py", 'if asked.foreign() or not csrf.good(form.get("csrf"), binding, _STEP):',
          "if asked.foreign():"),),
        ("outside_real",),
    ),
    Server(
        "CSRF tokens without the tenant",
        (("web/csrf.py", 'f"{current().id}|{binding}|{step}|{salt}"', 'f"{binding}|{step}|{salt}"'),),
        ("outside_credentials",),
    ),
    Server(
        "a cookie that begins again without the tenant",
        (("web/signed.py", 'f"{current().id}|{body}"', "body"),),
        ("outside_credentials",),
    ),
    Server(
        "signatures that nobody checks",
        (("signing/own.py", "    parts.check_signature(seen.key.alg, key, seen.signed, seen.signature)",
          "    del key"),),
        ("tokens_access_token",),
    ),
    Server(
        "ends that nobody looks at",
        (("signing/own.py", 'if seen.claims["exp"] <= seen.moment and not seen.expired_is_fine:',
          'if seen.claims["exp"] <= 0:'),),
        ("tokens_access_token",),
    ),
    Server(
        "any token of the tenant as a hint",
        (
            ("signing/own.py", 'if seen.header["typ"] not in seen.typ:', "if not seen.typ:"),
            ("oauth/tokens/id_token.py", 'if "client_id" in claims:', "if claims is None:"),
            ("signing/own.py", "None if seen.audience is None else {seen.audience}", "None"),
        ),
        ("tokens_id_token",),
    ),
    Server(
        "audiences of ID tokens that nobody checks",
        (("signing/own.py", "None if seen.audience is None else {seen.audience}", "None"),),
        ("tokens_id_token",),
    ),
    Server(
        "audiences of assertions that nobody checks",
        (("signing/foreign.py", "if seen.audience is not None:", "if seen.audience == 0:"),),
        ("tokens_private_key_jwt",),
    ),
    Server(
        "assertions that count twice",
        (("oauth/client_auth/private_key_jwt.py", "    return first\n", "    return True\n"),),
        ("tokens_private_key_jwt",),
    ),
    Server(
        "requests that anybody may sign for a client",
        (("oauth/checks/request_object.py", "        FOREIGN.hold(seen)\n",
          "        for one in FOREIGN.checks:\n            one.name in ('kid', 'signature') or one.run(seen)\n"),),
        ("tokens_request_object",),
    ),
    Server(
        "introspection for whoever asks",
        (("oauth/endpoints/introspection.py",
          "if good.client.id != client.id and not _listed(client, good.audience):", "if good.client is None:"),),
        ("outside_whole",),
    ),
    Server(
        "an end that is nobody's, but everybody's",
        (("control/not_before.py", "    _set(tenants.show(slug), at, actor)\n",
          "    for row in tenants.list_(PAGE, None):\n        _set(row, at, actor)\n"),),
        ("background_jobs",),
    ),
)  # fmt: skip
