"""A product's client and API, made in one transaction, and the configuration that goes to the other side."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from idp import paths, registration, urls
from idp.audit import Actor
from idp.control import apis, clients, telling
from idp.control.clients import Made
from idp.control.integrations.product import Product
from idp.control.integrations.products import PRODUCTS
from idp.errors import Invalid, InvalidClientMetadata, NotFound
from idp.oauth import metadata
from idp.store.database import transaction
from idp.tenants import current

_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*", re.ASCII)
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What may stand in every syntax that the other sides read, without a sign that means something there."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One file of the other side."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Integration:
    """What was made for a product: its client, the identifier of its API where it has one, its configuration."""

    product: Product
    made: Made
    api: str | None
    configuration: tuple[Configuration, ...]


def product(name: str) -> Product:
    """The product of that name. Raises NotFound, which names those that there are."""
    for each in PRODUCTS:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in PRODUCTS)
    raise NotFound(f"There is no product of that name; known are {known}.", rule="for", got=name)


def address(wanted: Product, url: object) -> str:
    """Where the product is reached, without a slash at its end: https, or http on this machine.

    It goes into files of other programs, so its path is of letters, digits and signs that mean nothing there.
    Raises Invalid.
    """
    try:
        found = urls.redirect_uri(url, native=False)
        text = found.text.removesuffix("/")
        if found.query is not None or not _PATH.fullmatch(found.path.removesuffix("/")):
            raise urls.BadUrl("must have no query and a path of letters, digits and signs of . _ ~ -")
        if wanted.at_root and found.path not in ("", "/"):
            raise urls.BadUrl(f"must have no path, because {wanted.title} knows none")
    except urls.BadUrl as problem:
        raise Invalid(f"url {problem}.", rule="url", got=url) from None
    return text


def create(
    name: str,
    url: str,
    client_id: str | None = None,
    fields: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> Integration:
    """The client of a product at `url` (and its API where it takes access tokens), all or nothing.

    `fields` are what the product leaves open. Raises NotFound, Invalid, InvalidClientMetadata naming the field,
    Conflict where client_id or API are taken.
    """
    wanted = product(name)
    where = address(wanted, url)
    named = _named(client_id or wanted.name)
    given = _fields(wanted, where, fields or {})
    with transaction(), telling.later():
        api = _api(wanted, where, named, actor)
        made = clients.create(named, given, actor)
        if api is not None:
            apis.grant(api, made.client, tuple(api.scopes), actor)
    telling.changed(*map(made.client.metadata.get, registration.SIGNED))
    files = configuration(wanted, where, named, made.client_secret)
    return Integration(wanted, made, api and api.identifier, files)


def _named(client_id: str) -> str:
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidClientMetadata(
            "client_id must have 1 to 64 letters, digits and signs of . _ - where it goes into another configuration.",
            rule="client_id",
        )
    return client_id


def _fields(wanted: Product, where: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the product decides, and beside it what it leaves open. Raises InvalidClientMetadata."""
    decided = planned(wanted, where)
    for each in fields:
        if each in wanted.metadata(where):
            raise InvalidClientMetadata(f"{each} is decided by the product {wanted.name}.", rule=each)
    return {**decided, **fields}


def planned(wanted: Product, where: str) -> dict[str, Any]:
    """The fields of the client that the product gets: metadata and settings, before anybody has checked them."""
    return {**wanted.metadata(where), **wanted.settings}


def _api(wanted: Product, where: str, client_id: str, actor: Actor | None) -> Any:
    if wanted.typ is None:
        return None
    scopes = {own_scope(client_id): f"Use {where}"[:256]}
    return apis.create(where, {"typ": wanted.typ, "scopes": scopes}, actor)


def own_scope(client_id: str) -> str:
    """The scope of a product's own API: the client's name before it, so that no other API has it by chance."""
    return f"{client_id}.access"


def configuration(
    wanted: Product, where: str, client_id: str, secret: str | None
) -> tuple[Configuration, ...]:
    """The other side's configuration, with the addresses of the entered tenant."""
    issuer = current().issuer
    host = urlsplit(issuer)
    scopes = (*wanted.scopes, own_scope(client_id)) if wanted.typ else wanted.scopes
    known = {
        **metadata.addresses(issuer),
        "issuer_host": host.netloc,
        "issuer_name": host.hostname,
        "issuer_port": host.port or urls.DEFAULT_PORTS[host.scheme],
        "client_id": client_id,
        "client_secret": secret,
        "url": where,
        "path": urlsplit(where).path,
        "origin": where.removesuffix(urlsplit(where).path),
        "scopes": scopes,
        "scope": " ".join(scopes),
        "redirect_uris": wanted.metadata(where)["redirect_uris"],
    }
    return tuple(
        Configuration(each, _templates().get_template(f"integrations/{wanted.name}/{each}").render(known))
        for each in wanted.files
    )


@cache
def _templates() -> Environment:
    """Plain text: what goes in is of the narrow alphabets above, so there is nothing to escape."""
    return Environment(
        loader=FileSystemLoader(paths.templates()),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
