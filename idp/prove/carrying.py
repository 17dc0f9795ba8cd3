"""The parts of a request, a way to present a credential in one, and the place at which that is tried."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from idp.prove.target import Route
from idp.prove.wallet import Wallet


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a request: parameters (of the form, or of the query of a GET), query, headers, cookies."""

    form: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, object] | None = None
    """In place of a form."""

    def __or__(self, other: "Part") -> "Part":
        """Both; where they name the same thing, that of `other`."""
        return Part(
            {**self.form, **other.form},
            (*(each for each in self.query if each[0] not in dict(other.query)), *other.query),
            {**self.headers, **other.headers},
            {**self.cookies, **other.cookies},
            self.json if other.json is None else other.json,
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that it says."""
        held = (self.form, dict(self.query), self.headers, self.cookies)
        return tuple(value for each in held for value in each.values())


@dataclass(frozen=True, slots=True)
class Use:
    """One way to present a credential of `own` where `victim` is: it, and what is nobody's, around the same rest."""

    name: str
    foreign: Part
    absent: Part
    rest: Part = field(default_factory=Part)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is tried: a route at the victim's address, and who brings what."""

    route: Route
    own: Wallet
    victim: Wallet

    @property
    def path(self) -> str:
        """The route below the issuer."""
        return self.route.path.removeprefix("/t/{slug}")

    def renamed(self, cookies: Mapping[str, str]) -> dict[str, str]:
        """Cookies under the names that the victim's have."""
        return {
            name.replace(self.own.canary.slug, self.victim.canary.slug): value
            for name, value in cookies.items()
        }

    def takes(self, kind: str) -> bool:
        """Whether the route declares this kind."""
        return kind in self.route.credentials


Uses = Callable[[Place], Iterator[Use]]
