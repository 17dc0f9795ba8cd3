"""Reading a TXT record (RFC 1035), for nothing but the proof of a host: asks one resolver over UDP, then TCP.

The answer is public data and is compared with a secret of ours, so nothing here is trusted for more than that.
"""

import secrets
import socket
import struct
from pathlib import Path

from idp.errors import Busy

TIMEOUT = 3.0  # seconds
TRIES = 2
_TXT, _CNAME, _IN = 16, 5, 1


def lookup(name: str, resolver: tuple[str, int] | None = None) -> list[str]:
    """The texts of a name's TXT records; none where there is no such name. Raises Busy without an answer."""
    where = resolver or (_system(), 53)
    number = secrets.randbelow(65_536)
    question = _name(name) + struct.pack(">HH", _TXT, _IN)
    query = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    for _ in range(TRIES):
        try:
            answer = _udp(query, where)
            if len(answer) > 2 and answer[2] & 0x02:  # cut short
                answer = _tcp(query, where)
            return _texts(answer, number, question)
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
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".")) + b"\0"


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


def _texts(answer: bytes, number: int, question: bytes) -> list[str]:
    """The texts in an answer to this very question. Raises ValueError."""
    given, flags, _, answers, *_ = struct.unpack(">HHHHHH", answer[:12])
    if given != number or not flags & 0x8000 or answer[12 : 12 + len(question)].lower() != question.lower():
        raise ValueError("not the answer to this question")
    if flags & 0x000F == 3:  # NXDOMAIN
        return []
    if flags & 0x000F:
        raise ValueError("the resolver could not answer")
    place, texts = 12 + len(question), []
    for _ in range(min(answers, 100)):
        place = _after_name(answer, place)
        kind, _, _, length = struct.unpack(">HHIH", answer[place : place + 10])
        data = answer[place + 10 : place + 10 + length]
        place += 10 + length
        if kind == _TXT:
            texts.append(_text(data))
        elif kind != _CNAME:
            raise ValueError("an answer to something else")
    return texts


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
