"""Whether others' mail servers will believe our messages: what the DNS says of the domain that they come from.

SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), where bounces go (MX), and the name of the server's address (PTR).
Nothing is sent; each finding says which record to publish.
"""

import base64
import binascii
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from idp.config import LOOPBACK, Settings
from idp.control import tenants
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import NotTried, World
from idp.mail import senders
from idp.store.durable import mail_senders

MOST_LOOKUPS = 10
"""Questions to the DNS that an SPF record may cost (RFC 7208 section 4.6.4)."""
_ENDS = ("-all", "~all")


@dataclass(frozen=True, slots=True)
class Sending:
    """From which domain messages come, by which server, whose setting says so, and the name of its DKIM key."""

    domain: str
    server: str | None
    where: str
    selector: str | None = None

    @property
    def relayed(self) -> bool:
        """Whether another machine sends them."""
        return self.server is not None and self.server not in LOOPBACK


def examinations(sending: Sending) -> tuple[Examination, ...]:
    """What is looked at for one sender."""
    looks = (
        ("mail.spf", "SPF: which servers may send", spf),
        ("mail.dkim", "DKIM: the key of signatures", dkim),
        ("mail.dmarc", "DMARC: what to do with the others", dmarc),
        ("mail.mx", "MX: where bounces go", mx),
        ("mail.ptr", "PTR: the server's name", ptr),
    )
    return tuple(Examination(name, title, partial(look, sending)) for name, title, look in looks)


def platform(settings: Settings, selector: str | None = None) -> Sending | None:
    """The sender of this deployment; None where it has none."""
    if settings.mail_from is None:
        return None
    domain = senders.wired(settings.mail_from.rpartition("@")[2])
    server = urlsplit(settings.smtp_url or "").hostname
    return Sending(domain, server, "IDP_MAIL_FROM", selector)


def own(slug: str, settings: Settings, selector: str | None = None) -> Sending | None:
    """The sender of a tenant, the platform's where it has none. Raises NotFound."""
    with tenants.enter(slug):
        kept = mail_senders.find()
    if kept is None:
        return platform(settings, selector)
    server = urlsplit(kept.smtp or settings.smtp_url or "").hostname
    return Sending(
        senders.wired(kept.address.rpartition("@")[2]), server, f"tenant {slug}: senders", selector
    )


def spf(sending: Sending, world: World) -> Iterator[Finding]:
    """One record, that ends in a refusal of everybody else, within the ten questions that receivers ask."""
    by = f"a:{sending.server}" if sending.relayed else "the addresses of your mail server, as ip4:…"
    publish = f"Publish one TXT record at {sending.domain}: v=spf1 {by} -all"
    found = _tagged(world.ask(sending.domain, "TXT"), "v=spf1")
    if not found:
        yield error("mail.spf.none", f"{sending.domain} has no SPF record.", sending.where, f"{publish}.")
        return
    if len(found) > 1:
        yield error(
            "mail.spf.many", f"{sending.domain} has {len(found)} SPF records, so none counts.", sending.where,
            f"Put them together into one TXT record at {sending.domain}.",
        )  # fmt: skip
        return
    terms = found[0].lower().split()[1:]
    end = next((term for term in terms if term.lstrip("+-~?") == "all"), None)
    if end is None and not any(term.startswith("redirect=") for term in terms):
        yield warning(
            "mail.spf.open", f"The SPF record of {sending.domain} says nothing of other servers.", sending.where,
            f"Let the TXT record at {sending.domain} end in -all.",
        )  # fmt: skip
    elif end is not None and end not in _ENDS:
        yield error(
            "mail.spf.everybody", f"The SPF record of {sending.domain} lets everybody send.", sending.where,
            f"Let the TXT record at {sending.domain} end in -all instead of {end}.",
        )  # fmt: skip
    asked = _lookups(terms, world, MOST_LOOKUPS + 1)
    if asked > MOST_LOOKUPS:
        yield error(
            "mail.spf.lookups",
            f"The SPF record of {sending.domain} costs more than {MOST_LOOKUPS} questions, so it counts as broken.",
            sending.where,
            f"Replace some include: in the TXT record at {sending.domain} by the addresses themselves.",
        )


def _lookups(terms: list[str], world: World, left: int) -> int:
    """How many questions these terms cost, those that they include as well, counted to `left`."""
    asked = 0
    for term in terms:
        plain = term.lstrip("+-~?")
        further = next(
            (plain[len(each) :] for each in ("include:", "redirect=") if plain.startswith(each)), None
        )
        if further is None:
            asked += plain.partition(":")[0].partition("/")[0] in ("a", "mx", "ptr", "exists")
            continue
        asked += 1
        if asked < left:
            found = _tagged(world.ask(further, "TXT"), "v=spf1")
            asked += _lookups(found[0].lower().split()[1:], world, left - asked) if found else 0
        if asked >= left:
            break
    return asked


def dkim(sending: Sending, world: World) -> Iterator[Finding]:
    """The key under which the mail server signs, where it is told which."""
    if sending.selector is None:
        raise NotTried(
            "The mail server signs, under a key whose name only it knows: give it with --selector."
        )
    name = f"{sending.selector}._domainkey.{sending.domain}"
    publish = f"Publish the TXT record at {name} that your mail server shows you: v=DKIM1; k=rsa; p=…"
    found = [each for each in world.ask(name, "TXT") if "p" in _tags(each)]
    if not found:
        yield error("mail.dkim.none", f"There is no DKIM key at {name}.", sending.where, f"{publish}.")
        return
    if len(found) > 1:
        yield error("mail.dkim.many", f"There are {len(found)} DKIM keys at {name}.", sending.where,
                    f"Leave one TXT record at {name}.")  # fmt: skip
        return
    tags = _tags(found[0])
    if not tags["p"]:
        yield error("mail.dkim.revoked", f"The DKIM key at {name} is revoked.", sending.where, f"{publish}.")
        return
    bits = _bits(tags)
    if bits is None:
        yield error(
            "mail.dkim.broken", f"The DKIM key at {name} cannot be read.", sending.where, f"{publish}."
        )
    elif bits < 2048 and tags.get("k", "rsa") == "rsa":
        kind = error if bits < 1024 else warning
        yield kind("mail.dkim.short", f"The DKIM key at {name} has {bits} bits.", sending.where,
                   f"Make a key of 2048 bits and publish it at {name}.")  # fmt: skip


def _bits(tags: dict[str, str]) -> int | None:
    try:
        raw = base64.b64decode("".join(tags["p"].split()), validate=True)
        if tags.get("k", "rsa") == "ed25519":  # RFC 8463
            return 256 if len(raw) == 32 else None
        key = load_der_public_key(raw)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return key.key_size if isinstance(key, RSAPublicKey) else None


def dmarc(sending: Sending, world: World) -> Iterator[Finding]:
    """A policy for the domain, or for one above it, that asks for more than reports."""
    labels = sending.domain.split(".")
    names = [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
    found = next(((name, each) for name in names if (each := _policies(name, world))), None)
    record = f"v=DMARC1; p=quarantine; rua=mailto:dmarc@{sending.domain}"
    publish = f"Publish a TXT record at _dmarc.{sending.domain}: {record}"
    if found is None:
        yield error("mail.dmarc.none", f"{sending.domain} has no DMARC policy.", sending.where, f"{publish}.")
        return
    name, policies = found
    if len(policies) > 1:
        yield error("mail.dmarc.many", f"There are {len(policies)} DMARC policies at _dmarc.{name}, so none counts.",
                    sending.where, f"Leave one TXT record at _dmarc.{name}.")  # fmt: skip
        return
    tags = _tags(policies[0])
    policy = tags.get("p") if name == sending.domain else tags.get("sp", tags.get("p"))
    if policy not in ("none", "quarantine", "reject"):
        yield error("mail.dmarc.broken", f"The DMARC policy at _dmarc.{name} cannot be read.", sending.where,
                    f"{publish}.")  # fmt: skip
    elif policy == "none":
        yield warning("mail.dmarc.watches", f"The DMARC policy at _dmarc.{name} only watches.", sending.where,
                      f"Let it say p=quarantine, or p=reject, in the TXT record at _dmarc.{name}.")  # fmt: skip


def _policies(name: str, world: World) -> list[str]:
    return _tagged(world.ask(f"_dmarc.{name}", "TXT"), "v=dmarc1")


def mx(sending: Sending, world: World) -> Iterator[Finding]:
    """Somebody takes what comes back to the sender's domain."""
    servers = world.ask(sending.domain, "MX")
    change = f"Publish an MX record at {sending.domain} for the server that takes its mail."
    if any(each.endswith(" .") for each in servers):  # RFC 7505
        yield error("mail.mx.null", f"{sending.domain} says that it takes no mail, so bounces are lost.",
                    sending.where, change)  # fmt: skip
    elif not servers and not (world.ask(sending.domain, "A") or world.ask(sending.domain, "AAAA")):
        yield error("mail.mx.none", f"{sending.domain} takes no mail, so bounces are lost and receivers refuse it.",
                    sending.where, change)  # fmt: skip
    for each in servers:
        host = each.partition(" ")[2]
        if host != "." and not (world.ask(host, "A") or world.ask(host, "AAAA")):
            yield warning("mail.mx.gone", f"{host}, which takes the mail of {sending.domain}, has no address.",
                          sending.where, f"Make an A record for {host}, or publish another MX.")  # fmt: skip


def ptr(sending: Sending, world: World) -> Iterator[Finding]:
    """The addresses of the server have a name that leads back to them (RFC 1912 section 2.1)."""
    if not sending.relayed:
        raise NotTried("The mail server is on this machine; which address it sends from, only it knows.")
    server = sending.server or ""
    addresses = _literal(server) or [*world.ask(server, "A"), *world.ask(server, "AAAA")]
    if not addresses:
        yield error("mail.server", f"The mail server {server} has no address.", sending.where,
                    f"Make an A record for {server}, or name another server.")  # fmt: skip
    for address in addresses:
        names = world.ask(ipaddress.ip_address(address).reverse_pointer, "PTR")
        kind = "AAAA" if ":" in address else "A"
        if not any(address in world.ask(name, kind) for name in names):
            yield warning("mail.ptr", f"{address} of {server} has no name that leads back to it.", sending.where,
                          f"Let whoever owns {address} publish a PTR record with the name of the server.")  # fmt: skip


def _literal(server: str) -> list[str]:
    try:
        return [str(ipaddress.ip_address(server))]
    except ValueError:
        return []


def _tagged(texts: list[str], version: str) -> list[str]:
    return [each for each in texts if (each.replace(";", " ").split() or [""])[0].lower() == version]


def _tags(text: str) -> dict[str, str]:
    """The tags of a list such as `v=DKIM1; k=rsa; p=…` (RFC 6376 section 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}
