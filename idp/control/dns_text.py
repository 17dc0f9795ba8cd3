"""Reading records of the DNS (RFC 1035): TXT for proofs of hosts, and what a doctor of mail looks at.

Asks one resolver over UDP, then TCP. The answer is public data and is compared with a secret of ours, or shown to an
operator, so nothing here is trusted for more than that.
"""

import ipaddress
import secrets
import socket
import struct
from pathlib import Path

from idp.errors import Busy

TIMEOUT = 3.0  # seconds
TRIES = 2
_CNAME, _IN = 5, 1
_KINDS = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def lookup(name: str, resolver: tuple[str, int] | None = None) -> list[str]:
    """The texts of a name's TXT records; none where there is no such name. Raises Busy without an answer."""
    return ask(name, "TXT", resolver)


def ask(name: str, kind: str, resolver: tuple[str, int] | None = None) -> list[str]:
    """What the records of `kind` (TXT, MX, A, AAAA, PTR) of a name say; none where there are none. Raises Busy.

    An MX is "10 mail.example.com".
    """
    where = resolver or (_system(), 53)
    number, wanted = secrets.randbelow(65_536), _KINDS[kind]
    try:
        question = _name(name) + struct.pack(">HH", wanted, _IN)
    except ValueError:
        return []  # no name that the DNS could hold
    query = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    for _ in range(TRIES):
        try:
            answer = _udp(query, where)
            if len(answer) > 2 and answer[2] & 0x02:  # cut short
                answer = _tcp(query, where)
            return _records(answer, number, question, wanted)
        except (OSError, ValueError, struct.error, IndexError):
            continue
    raise Busy("The DNS did not answer. Try again shortly.", rule="dns.text", retry_after=30)


def _system() -> str:
    try:
        for line in Path("/etc/resolv.conf").read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                return words[1]
    except OSError:
        pass
    return "127.0.0.1"


def _name(name: str) -> bytes:
    labels = name.encode("ascii").split(b".")
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError("not a name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _udp(query: bytes, where: tuple[str, int]) -> bytes:
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.settimeout(TIMEOUT)
        channel.connect(where)
        channel.send(query)
        return channel.recv(4096)


def _tcp(query: bytes, where: tuple[str, int]) -> bytes:
    with socket.create_connection(where, TIMEOUT) as channel, channel.makefile("rb") as stream:
        channel.sendall(struct.pack(">H", len(query)) + query)
        (length,) = struct.unpack(">H", stream.read(2))
        return stream.read(length)


def _records(answer: bytes, number: int, question: bytes, wanted: int) -> list[str]:
    """The records in an answer to this very question. Raises ValueError."""
    given, flags, _, answers, *_ = struct.unpack(">HHHHHH", answer[:12])
    if given != number or not flags & 0x8000 or answer[12 : 12 + len(question)].lower() != question.lower():
        raise ValueError("not the answer to this question")
    if flags & 0x000F == 3:  # NXDOMAIN
        return []
    if flags & 0x000F:
        raise ValueError("the resolver could not answer")
    place, found = 12 + len(question), []
    for _ in range(min(answers, 100)):
        place = _after_name(answer, place)
        kind, _, _, length = struct.unpack(">HHIH", answer[place : place + 10])
        if kind == wanted:
            found.append(_said(answer, kind, place + 10, length))
        elif kind != _CNAME:
            raise ValueError("an answer to something else")
        place += 10 + length
    return found


def _said(answer: bytes, kind: int, place: int, length: int) -> str:
    """What one record says; the names in it may point elsewhere in the answer."""
    data = answer[place : place + length]
    if kind == _KINDS["TXT"]:
        return _text(data)
    if kind in (_KINDS["A"], _KINDS["AAAA"]):
        return str(ipaddress.ip_address(data))
    if kind == _KINDS["MX"]:
        return f"{struct.unpack('>H', data[:2])[0]} {_name_at(answer, place + 2)}"
    return _name_at(answer, place)


def _name_at(answer: bytes, place: int) -> str:
    """The name that begins there, without the last dot; "." for the root."""
    labels: list[str] = []
    for _ in range(128):
        length = answer[place]
        if length >= 0xC0:
            place = struct.unpack(">H", answer[place : place + 2])[0] & 0x3FFF
        elif length:
            labels.append(answer[place + 1 : place + 1 + length].decode("ascii", "replace"))
            place += length + 1
        else:
            return ".".join(labels).lower() or "."
    raise ValueError("a name without an end")


def _after_name(answer: bytes, place: int) -> int:
    while answer[place]:
        if answer[place] >= 0xC0:  # a pointer ends the name
            return place + 2
        place += answer[place] + 1
    return place + 1


def _text(data: bytes) -> str:
    parts, place = [], 0
    while place < len(data):
        parts.append(data[place + 1 : place + 1 + data[place]])
        place += data[place] + 1
    return b"".join(parts).decode("ascii", "replace")
