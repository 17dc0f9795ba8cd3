"""`idp user`: the people of a tenant."""

from pathlib import Path
from typing import Any

import click

from idp.cli import given, session


@click.group("user")
def command() -> None:
    """Create, list, show, update, sign out, suspend, resume, delete the people of a tenant."""


_file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_secret_options = (
    click.option("--password", help="The password; others on this machine may see it, so prefer a file."),
    click.option("--password-file", type=_file, help="A file that holds the password; - for standard input."),
    click.option("--password-hash", help="An Argon2id hash in PHC format instead."),
    click.option("--email", help="The e-mail address."),
    click.option("--email-verified/--email-unverified", default=None, help="Whether it is proved."),
    given.set_option,
)


def _with_secret(function: Any) -> Any:
    for option in reversed(_secret_options):
        function = option(function)
    return function


def _fields(settings: tuple[str, ...], password_file: Path | None, **named: Any) -> dict[str, Any]:
    found = given.nested(settings)
    found |= {name: value for name, value in named.items() if value is not None}
    secret = given.from_file(password_file)
    return found | ({"password": secret} if secret is not None else {})


@command.command("create")
@click.argument("username")
@given.tenant_option
@_with_secret
@session.options
def create(
    username: str, slug: str, settings: tuple[str, ...], password_file: Path | None, **named: Any
) -> None:
    """Make a person; `--set given_name=Alice`, `--set attributes.department=Sales`."""
    from idp.control import users

    fields = _fields(settings, password_file, **named)
    with given.inside(slug):
        row = users.described(users.create({"username": username} | fields, session.actor()))
    session.answer(row, given.lines(row))


@command.command("list")
@given.tenant_option
@given.limit_option
@click.option("--after", default="", metavar="USERNAME", help="Those behind this one.")
@session.options
def list_(slug: str, limit: int, after: str) -> None:
    """List people by username; recorded, with --reason."""
    from idp.control import users

    with given.inside(slug):
        rows = users.shown(users.list_(limit, after), session.actor())
    session.answer(rows, given.table(rows, ("username", "email", "status", "sub")))


@command.command("show")
@click.argument("username")
@given.tenant_option
@session.options
def show(username: str, slug: str) -> None:
    """Show one person; recorded, with --reason."""
    from idp.control import users

    with given.inside(slug):
        (row,) = users.shown([users.show(username)], session.actor())
    session.answer(row, given.lines(row))


@command.command("update")
@click.argument("username")
@given.tenant_option
@_with_secret
@session.options
def update(
    username: str, slug: str, settings: tuple[str, ...], password_file: Path | None, **named: Any
) -> None:
    """Change a person; a new password ends sessions and grants."""
    from idp.control import users

    fields = _fields(settings, password_file, **named)
    with given.inside(slug):
        row = users.described(users.update(username, fields, session.actor()))
    session.answer(row, given.lines(row))


@command.command("sign-out")
@click.argument("username")
@click.option("--offline", is_flag=True, help="Also end the access that outlives a sign-out.")
@given.tenant_option
@session.options
def sign_out(username: str, offline: bool, slug: str) -> None:
    """Sign a person out everywhere, and tell the applications that want to know."""
    from idp.control import users

    with given.inside(slug):
        ended = users.sign_out(username, session.actor(), offline=offline)
    session.answer({"username": username, "sessions": ended}, f"{ended} session(s) of {username} have ended")


@command.command("why")
@click.argument("username")
@given.tenant_option
@session.options
def why(username: str, slug: str) -> None:
    """Say what stops a person from signing in, and what would change it; recorded. Status 1 when something does."""
    from idp.control import help_desk

    with given.inside(slug):
        told = help_desk.why(username, session.actor())
    session.answer(told, lambda: _reasons(told))
    if told["stopped"]:
        session.no()


def _reasons(told: dict[str, Any]) -> str:
    lines = [
        f"{told['username']} cannot sign in." if told["stopped"] else f"Nothing stops {told['username']}."
    ]
    for reason in told["reasons"]:
        lines.append(f"  {'STOPS' if reason['stops'] else 'note':<6} {reason['sentence']}")
        lines += [f"         {reason['command']}"] if reason["command"] else []
    lines += ["", "Lately:" if told["lately"] else "Nothing was recorded lately."]
    lines += [
        f"  {row['ago'] + ' ago':<12} {row['event']:<24} {row['address'] or '':<24} {row['request_id'] or ''}".rstrip()
        for row in told["lately"]
    ]
    return "\n".join(lines)


@command.command("unlock")
@click.argument("username")
@given.tenant_option
@session.options
def unlock(username: str, slug: str) -> None:
    """Let a person try to sign in again at once, whatever failed before."""
    from idp.control import help_desk

    with given.inside(slug):
        name, counting = help_desk.unlock(username, session.actor())
    session.answer(
        {"username": name, "limits": counting}, f"{name} may try again: {counting} limit(s) begin anew"
    )


@command.command("reset-factors")
@click.argument("username")
@given.tenant_option
@session.options
def reset_factors(username: str, slug: str) -> None:
    """Take every second factor from a person, who is signed out; give --reason."""
    from idp.control import factors

    with given.inside(slug):
        gone = factors.reset(username, session.actor())
    words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.items())
    session.answer({"username": username, **gone}, f"taken from {username}: {words}")


@command.command("temporary-code")
@click.argument("username")
@given.tenant_option
@session.options
def temporary_code(username: str, slug: str) -> None:
    """Make one code that stands in for a lost second factor within the hour; needs --reason."""
    from idp.control import factors

    with given.inside(slug):
        code, ends = factors.temporary_code(username, session.actor())
    session.answer(
        {"username": username, "temporary_code": code, "expires_at": ends.isoformat()},
        f"{code}  (for {username}, once, until {ends:%H:%M} UTC)",
    )


@command.command("send-reset")
@click.argument("username")
@click.option("--show-link", is_flag=True, help="Print the link instead of sending it; recorded.")
@given.tenant_option
@session.options
def send_reset(username: str, show_link: bool, slug: str) -> None:
    """Send a person a link that sets a new password; nobody chooses another's."""
    from idp.control import users

    with given.inside(slug):
        link = users.send_reset(username, session.actor(), reveal=show_link)
    row = {"username": username, "sent": link is None} | ({"link": link} if link else {})
    session.answer(row, link or f"a link is on its way to {username}")


@command.command("send-code")
@click.argument("username")
@click.option("--show-code", is_flag=True, help="Print code and link instead of sending them; recorded.")
@given.tenant_option
@session.options
def send_code(username: str, show_code: bool, slug: str) -> None:
    """Send a person whose sign-in by e-mail waits a new code, in place of the one before."""
    from idp.control import users

    with given.inside(slug):
        shown = users.send_code(username, session.actor(), reveal=show_code)
    row = {"username": username, "sent": shown is None}
    row |= {} if shown is None else dict(zip(("code", "link"), shown, strict=True))
    session.answer(row, " ".join(shown) if shown else f"a code is on its way to {username}")


@command.command("leave")
@click.argument("username")
@click.option("--show-link", is_flag=True, help="Print the link that keeps the account; recorded.")
@given.tenant_option
@session.options
def leave(username: str, show_link: bool, slug: str) -> None:
    """Close a person's account now and delete it after the days of grace."""
    from idp.control import users

    with given.inside(slug):
        link = users.leave(username, session.actor())
    row = {"username": username, "left": True} | ({"link": link} if show_link else {})
    session.answer(row, link if show_link else f"{username} has left")


@command.command("set-address")
@click.argument("username")
@click.argument("email")
@click.option("--show-link", is_flag=True, help="Print the link instead of sending it; recorded.")
@given.tenant_option
@session.options
def set_address(username: str, email: str, show_link: bool, slug: str) -> None:
    """Let a person confirm another e-mail address; it counts once they have."""
    from idp.control import users

    with given.inside(slug):
        link = users.set_address(username, email, session.actor(), reveal=show_link)
    row = {"username": username, "sent": link is None} | ({"link": link} if link else {})
    session.answer(row, link or f"a link is on its way to {email}")


@command.command("invite")
@click.argument("email")
@click.option("--role", "roles", multiple=True, help="A role of the tenant; may come several times.")
@click.option("--group", "groups", multiple=True, help="A group; may come several times.")
@click.option("--show-link", is_flag=True, help="Print the link instead of sending it; recorded.")
@given.tenant_option
@session.options
def invite(email: str, roles: tuple[str, ...], groups: tuple[str, ...], show_link: bool, slug: str) -> None:
    """Invite somebody, who makes their account by the link."""
    from idp.control import invitations

    with given.inside(slug):
        link = invitations.send(email, roles, groups, session.actor(), reveal=show_link)
    row = {"email": email, "sent": link is None} | ({"link": link} if link else {})
    session.answer(row, link or f"an invitation is on its way to {email}")


@command.command("invitations")
@given.limit_option
@given.tenant_option
@session.options
def invitations_(limit: int, slug: str) -> None:
    """The invitations that wait, the newest first."""
    from idp.control import invitations

    with given.inside(slug):
        found = invitations.waiting(limit)
    rows = [
        {"id": str(each.id), "email": each.email, "roles": each.roles, "groups": each.groups,
         "sent_at": each.sent_at.isoformat(), "ends_at": each.ends_at.isoformat()} for each in found
    ]  # fmt: skip
    session.answer(
        rows, "\n".join(f"{each.id}  {each.email}, until {each.ends_at:%-d %B %H:%M}" for each in found)
    )


@command.command("uninvite")
@click.argument("invitation")
@given.tenant_option
@session.options
def uninvite(invitation: str, slug: str) -> None:
    """Take an invitation back, by its id."""
    from idp.control import invitations

    with given.inside(slug):
        invitations.revoke(invitation, session.actor())
    session.answer({"id": invitation, "revoked": True}, "that invitation opens nothing any more")


@command.command("suspend")
@click.argument("username")
@given.tenant_option
@session.options
def suspend(username: str, slug: str) -> None:
    """Disable a person: sessions and grants end at once."""
    from idp.control import users

    with given.inside(slug):
        row = users.described(users.suspend(username, session.actor()))
    session.answer(row, given.lines(row))


@command.command("resume")
@click.argument("username")
@given.tenant_option
@session.options
def resume(username: str, slug: str) -> None:
    """Let a disabled person sign in again."""
    from idp.control import users

    with given.inside(slug):
        row = users.described(users.resume(username, session.actor()))
    session.answer(row, given.lines(row))


@command.command("delete")
@click.argument("username")
@given.tenant_option
@session.options
def delete(username: str, slug: str) -> None:
    """Delete a person; the sub is never used again."""
    from idp.control import users

    with given.inside(slug):
        user = users.delete(username, session.actor())
    session.answer(
        {"username": user.username, "sub": str(user.id), "deleted": True}, f"{username} is deleted"
    )
