"""Who a server runs as, and that it never outlives the process that started it.

Postgres refuses uid 0. Root therefore gives it another identity that still reaches folders which
only root may enter, without changing a permission anywhere: a user namespace in which root's uid
appears as an ordinary one, or, where namespaces are refused, an ordinary uid that keeps
CAP_DAC_OVERRIDE as an ambient capability (capabilities(7), user_namespaces(7)).
"""

import ctypes
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from idp.embedded import NotPossible

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CLONE_NEWUSER = 0x10000000
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
LINUX = sys.platform == "linux"
ORDINARY = ("postgres", "daemon", "bin", "nobody")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """`prepare` runs in the child before exec; `owner` is the uid and gid its data must belong to."""

    name: str
    prepare: Callable[[], None] | None
    owner: tuple[int, int]


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def die_with(parent: int, signal: int) -> None:
    """In a child before exec: be sent `signal` when the thread that forked us ends, or go now if it has.

    Nothing on systems without prctl(2); there the next start finds and stops what was left behind.
    """
    if not LINUX:
        return
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)


def choose(binary: Path, folder: Path) -> Identity:
    """The identity under which `binary` runs and can write below `folder`.

    Raises NotPossible when root has no way of becoming somebody else here.
    """
    own = (os.geteuid(), os.getegid())
    if own[0] != 0:
        return Identity("self", None, own)
    account = _ordinary_account()
    for identity in (
        Identity("user namespace", lambda: _enter_namespace(*own, account), own),
        Identity("ambient capability", lambda: _drop_to(account), (account.pw_uid, account.pw_gid)),
    ):
        if LINUX and _works(identity, binary, folder):
            return identity
    raise NotPossible(
        "Postgres refuses to run as root and this machine allows neither user namespaces nor capabilities: "
        "run as an ordinary user, or set IDP_DATABASE_URL."
    )


def _ordinary_account() -> pwd.struct_passwd:
    """initdb looks its uid up in the password database, also inside a namespace."""
    by_name = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in ORDINARY:
        if name in by_name:
            return by_name[name]
    if by_name:
        return next(iter(by_name.values()))
    raise NotPossible(
        "Postgres refuses to run as root and there is no other user here: set IDP_DATABASE_URL."
    )


def _works(identity: Identity, binary: Path, folder: Path) -> bool:
    probe = folder / ".probe"
    script = 'true > "$1" && "$2" --version'
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", str(probe), str(binary)],
            preexec_fn=identity.prepare,
            capture_output=True,
            timeout=20,
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        probe.unlink(missing_ok=True)
    return done.returncode == 0


def _enter_namespace(uid: int, gid: int, account: pwd.struct_passwd) -> None:
    _check(_libc.unshare(CLONE_NEWUSER), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{account.pw_uid} {uid} 1"),
        ("gid_map", f"{account.pw_gid or account.pw_uid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _drop_to(account: pwd.struct_passwd) -> None:
    _check(_libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    header, data = _Header(CAPABILITY_VERSION_3, 0), (_Data * 2)()
    data[0].effective = data[0].permitted = data[0].inheritable = 1 << CAP_DAC_OVERRIDE
    _check(_libc.capset(ctypes.byref(header), data), "capset")
    _check(_libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), "prctl")


def _check(result: int, call: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), call)
