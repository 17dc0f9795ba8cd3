"""The DNS: hosts of the provider and its tenants, and the records that prove tenants' hosts."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from idp.config import LOOPBACK
from idp.control import hosts
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import NotTried, World
from idp.errors import Busy


def provider(world: World) -> Iterator[Finding]:
    """The host of the base URL has an address, and so has a tenant's name below the domain."""
    host = urlsplit(world.settings.base_url).hostname or ""
    if host not in LOOPBACK and not _address(host) and not world.resolve(host):
        yield error(
            "dns.base",
            f"{host} has no address in the DNS, so nobody finds the provider.",
            "IDP_BASE_URL",
            f"Make an A or AAAA record for {host}.",
        )
    domain = world.settings.domain
    if domain and not world.resolve(f"doctor.{domain}"):
        yield error(
            "dns.domain",
            f"Names below {domain} have no address, so no tenant is found.",
            "IDP_DOMAIN",
            f"Make a record for *.{domain}.",
        )


def own_hosts(world: World) -> Iterator[Finding]:
    """Each host that counts for a tenant has an address."""
    for row in world.tenants():
        for host in row.hosts:
            if host.counts and not world.resolve(host.host):
                yield error(
                    "dns.host",
                    f"{host.host} of {row.slug} has no address in the DNS.",
                    f"tenant {row.slug}: hosts",
                    f"Let the tenant make a CNAME of {host.host} for {urlsplit(world.settings.base_url).hostname}.",
                )


def proofs(world: World) -> Iterator[Finding]:
    """The record that proves a host is still there; hosts that wait for theirs, or have lost it, are told."""
    silent = False
    for row in world.tenants():
        for host in row.hosts:
            where = f"tenant {row.slug}: hosts"
            record, value = f"{hosts.RECORD}.{host.host}", f"{hosts.VALUE}{host.challenge}"
            if host.lapsed_at is not None:
                yield error(
                    "dns.lapsed",
                    f"{host.host} of {row.slug} counts no more, since its record was missing for days.",
                    where,
                    f"Put {value} into {record}, then idp tenant host prove.",
                )
                continue
            if host.status != "proved":
                yield warning(
                    "dns.unproved",
                    f"{host.host} of {row.slug} was never proved, so it does not count.",
                    where,
                    f"Put {value} into {record}, then idp tenant host prove.",
                )
                continue
            try:
                there = value in world.lookup(record)
            except Busy:
                silent = True
                continue
            if not there:
                yield warning(
                    "dns.proof",
                    f"The record that proves {host.host} of {row.slug} is gone; in three days the host counts no more.",
                    where,
                    f"Put {value} into {record} again.",
                )
    if silent:
        raise NotTried("The DNS did not answer when it was asked for the records of hosts.")


def _address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


EXAMINATIONS = (
    Examination("dns.provider", "The provider's own names", provider),
    Examination("dns.hosts", "Hosts of tenants", own_hosts),
    Examination("dns.proofs", "Proofs of hosts", proofs),
)
