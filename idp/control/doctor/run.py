"""Make the examinations, in the order in which one explains the next."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from idp.config import ConfigError, Settings
from idp.control import dns_text, installation
from idp.control.doctor import cache, environment, files, front, names, post, postgres, redirects, tls
from idp.control.doctor.finding import Examination, Finding, Result, error
from idp.control.doctor.world import NotTried, World
from idp.errors import Busy

EXAMINATIONS: tuple[Examination, ...] = (
    *environment.EXAMINATIONS,
    *files.EXAMINATIONS,
    *postgres.EXAMINATIONS,
    *cache.EXAMINATIONS,
    *names.EXAMINATIONS,
    *redirects.EXAMINATIONS,
    *front.EXAMINATIONS[:1],
    *tls.EXAMINATIONS,
    *front.EXAMINATIONS[1:],
)
"""Every examination there is."""


def examined(
    settings: Settings,
    given: Mapping[str, str],
    *,
    serving: int | None = None,
    via: tuple[str, int] | None = None,
) -> Iterator[Result]:
    """Each result as soon as it is there; opens the vault for that where it can."""
    world = World(settings, given, serving=serving, via=via)
    with ExitStack() as stack:
        try:
            postgres.reached(world)
            stack.enter_context(installation.opened(settings))
        except NotTried as reason:
            world.closed = str(reason)
        except ConfigError as problem:
            world.closed = f"{problem.field} {problem.sentence}."
        yield from look(world)


def mail(
    settings: Settings,
    selector: str | None = None,
    resolver: tuple[str, int] | None = None,
    slug: str | None = None,
) -> Iterator[Result]:
    """What the DNS says of the sender of messages, or of those of a tenant; asked of `resolver`, or of this machine's.

    Raises NotFound.
    """
    world = World(settings, ask=lambda name, kind: dns_text.ask(name, kind, resolver))
    sending = post.platform(settings, selector) if slug is None else post.own(slug, settings, selector)
    if sending is None:
        why = "No sender is set: IDP_MAIL_FROM names none."
        yield Result("mail", "Mail", not_tried=why)
        return
    for each in post.examinations(sending):
        yield one(each, world)


def unreadable(problem: ConfigError) -> list[Result]:
    """The results where a setting cannot be read at all."""
    change = "Mend it in the environment; docs/configuration.md has every name."
    found = error("environment.setting", f"{problem.field} {problem.sentence}.", problem.field, change)
    why = "The settings cannot be read."
    return [
        Result("settings", "Settings", (found,)),
        *(Result(each.name, each.title, not_tried=why) for each in EXAMINATIONS),
    ]


def look(world: World) -> Iterator[Result]:
    """The examinations of an open, or closed, deployment."""
    for each in EXAMINATIONS:
        yield one(each, world)


def one(each: Examination, world: World) -> Result:
    """One examination: what it found until something kept it from going on."""
    found: list[Finding] = []
    try:
        for finding in each.look(world):
            found.append(finding)
    except NotTried as reason:
        return Result(each.name, each.title, tuple(found), str(reason))
    except Busy as away:
        return Result(each.name, each.title, tuple(found), away.description)
    return Result(each.name, each.title, tuple(found))
