"""The deployment under proof, as a stranger knows it: addresses, routes, two canaries, the public commands."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from idp.prove.promises import NotProved

COMMAND_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Program:
    """The public command line of the product, run as processes in `environment`."""

    words: Sequence[str]
    """The program and the options that every call takes, such as ("idp", "--home", "/srv/idp")."""
    environment: Mapping[str, str]

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """What one command prints on standard output; `given` is its standard input.

        Raises NotProved; what the product itself said stands at the end of the sentence.
        """
        try:
            done = subprocess.run(
                [*self.words, *arguments],
                env=dict(self.environment),
                input=given,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotProved(f"{' '.join(arguments[:2])} could not be run: {error}") from None
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise NotProved(f"idp {' '.join(arguments[:2])} failed: {said.removeprefix('idp: ')}")
        return done.stdout

    def json(self, *arguments: str, given: str | None = None) -> Any:
        """The same, read as JSON."""
        return json.loads(self(*arguments, "--json", given=given))


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the running server, as `idp routes --json` tells it."""

    path: str
    methods: tuple[str, ...]
    gate: str
    credentials: tuple[str, ...]
    cors: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Canary:
    """One of the two throw-away tenants. They share every name and no secret."""

    slug: str
    id: str
    issuer: str
    passwords: Mapping[str, str]
    """By username."""
    secrets: Mapping[str, str]
    """Client secrets by client_id."""
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Private JWKs by client_id, of clients that authenticate with `private_key_jwt`."""
    context: str = field(default="", repr=False)
    """A signed tenant context that outlives the proof."""
    expired: str = field(default="", repr=False)
    """One that was signed as well and has ended."""
    initial: str = field(default="", repr=False)
    """An initial access token that is good for any number of registrations."""
    spare: list[str] = field(default_factory=list, compare=False)
    """People with Alice's password who have no second factor yet; whoever uses one up takes it off."""
    waits: Callable[[], Mapping[str, str]] = field(default=dict, repr=False, compare=False)
    """Makes the code and the link anew by which Alice, who waits for them, signs in."""
    links: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Addresses of links that somebody was sent who never signs in, by the path below the issuer."""


@dataclass(frozen=True, slots=True)
class Target:
    """What every probe is given."""

    base_url: str
    management_url: str | None
    database_url: str
    """As the runtime role; through pgbouncer where the deployment has one."""
    owner_database_url: str | None
    redis_url: str
    redis_admin_url: str | None
    routes: tuple[Route, ...]
    a: Canary
    b: Canary
    program: Program
    version: str = ""
    """Of the product, as it says itself."""
    schema: str = ""
    """The revision that the product needs."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What one probe obtained and another uses again, such as a signed-in browser; by name."""
