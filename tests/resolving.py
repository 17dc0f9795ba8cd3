"""A resolver of ours: a real DNS server on this machine, over UDP, with a zone that a test writes."""

import ipaddress
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

KINDS = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}
Zone = Mapping[tuple[str, str], list[str]]


@contextmanager
def resolver(zone: Zone) -> Iterator[tuple[str, int]]:
    """Its address; `zone`: what the records of a name and kind say. A name without any does not exist."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            query, whom = channel.recvfrom(512)
            if query == b"end":
                return
            channel.sendto(_answer(query, zone), whom)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield channel.getsockname()
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", channel.getsockname())
        thread.join(5)
        channel.close()


def _answer(query: bytes, zone: Zone) -> bytes:
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode())
        place += query[place] + 1
    name, kind = ".".join(labels).lower(), struct.unpack(">H", query[place + 1 : place + 3])[0]
    said = zone.get((name, KINDS[kind]), [])
    there = any(known == name for known, _kind in zone)
    flags = 0x8180 if there else 0x8183
    head = struct.pack(">HHHHHH", struct.unpack(">H", query[:2])[0], flags, 1, len(said), 0, 0)
    records = b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        for data in (_data(kind, each) for each in said)
    )
    return head + query[12:] + records


def _data(kind: int, text: str) -> bytes:
    if kind == 16:
        parts = [text[at : at + 255].encode() for at in range(0, len(text), 255)]
        return b"".join(bytes([len(part)]) + part for part in parts)
    if kind in (1, 28):
        return ipaddress.ip_address(text).packed
    if kind == 15:
        weight, name = text.split(" ")
        return struct.pack(">H", int(weight)) + _name(name)
    return _name(text)


def _name(name: str) -> bytes:
    """Written out; the root alone is a dot. A name that ends in `*` points to the question, as servers shorten it."""
    if name == ".":
        return b"\0"
    labels, short = name.removesuffix(".*"), name.endswith(".*")
    written = b"".join(bytes([len(label)]) + label.encode() for label in labels.split("."))
    return written + (b"\xc0\x0c" if short else b"\0")
