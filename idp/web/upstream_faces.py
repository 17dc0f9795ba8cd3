"""What the pages on the way to other providers and back are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from idp.speech import say
from idp.web.faces import Page, TenantFace


@dataclass(frozen=True)
class ProviderFace:
    """A button that leads to an upstream. `mark`: whose sign it bears; "" for a letter."""

    label: str
    url: str
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Onward(Page):
    """A page that goes on by itself, to `continue_url`, which was verified."""

    tenant: TenantFace
    continue_url: str


@dataclass(frozen=True, kw_only=True)
class Upstream(Page):
    """A sign-in by another provider came to nothing. `provider`: its name, "" where nobody knows which."""

    kind: Literal["taken", "linked", "nobody", "not_fresh", "declined", "away", "failed"]
    provider: str
    code: str
    description: str = ""
    tenant: TenantFace | None = None
    continue_url: str = ""
    continue_label: str = say("Back to the sign-in")


PAGES: Final[Mapping[str, type[Page]]] = {"onward": Onward, "upstream": Upstream}
