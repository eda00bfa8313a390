"""``noonday config``: which server, with which token, for which owner."""

from __future__ import annotations

import json
import sys

import click

from cli.command import Group, PlainCommand
from cli.errors import Misused
from cli.profiles import path_of, save
from cli.session import Access, Session


class _PlainGroup(Group):
    command_class = PlainCommand


@click.group(
    cls=_PlainGroup,
    examples="""
        noonday config show
        # another server
        noonday --profile prod config set url https://noonday.example.com
        noonday --profile prod config set token
        noonday config use prod
    """,
)
def config() -> None:
    """Choose the server, its token and the owner.

    A profile keeps them, in a file that only you can read. NOONDAY_URL, NOONDAY_TOKEN and
    NOONDAY_OWNER come before the profile, which NOONDAY_PROFILE may name; --url, --owner and
    --profile come before those.
    """


@config.command(
    "show",
    examples="""
        noonday config show
        noonday config show -o json
    """,
)
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table")
@click.pass_obj
def show(session: Session, output: str) -> None:
    """Show which server is used, and where each setting comes from. Tokens are not shown."""
    access = session.access()
    file = path_of(session.environment)
    if output == "json":
        document = {
            "url": access.url,
            "owner": access.owner,
            "has_token": access.token is not None,
            "profile": session.profile or session.profiles.current,
            "profiles": sorted(session.profiles.profiles),
            "file": str(file),
        }
        click.echo(json.dumps(document, indent=2))
        return
    for name, value in _settings(access):
        click.echo(f"{name:8}  {value}")
    click.echo(f"{'file':8}  {file}{'' if file.exists() else ' (not there yet)'}")
    click.echo(f"{'profiles':8}  {_profiles(session)}")


@config.command(
    "set",
    examples="""
        noonday config set url http://127.0.0.1:8080
        noonday config set owner finance
        # the token is asked for, so that it stays out of the shell's history
        noonday config set token
        noonday config set token < token.txt
    """,
)
@click.argument("setting", type=click.Choice(("url", "token", "owner")))
@click.argument("value", required=False)
@click.pass_obj
def set_value(session: Session, setting: str, value: str | None) -> None:
    """Set the url, token or owner of a profile.

    It is the current profile, or the one that --profile names before config. Without a value, token
    is read from the terminal or from standard input, and url and owner are taken away.
    """
    if setting == "token" and value is None:
        value = _token()
    if setting == "url" and value is not None:
        _check_url(value)
    name = session.profile or session.profiles.current
    save(session.profiles.with_setting(name, setting, value), path_of(session.environment))
    click.echo(f"profile {name}: {setting} {'is set' if value else 'is taken away'}", err=True)


@config.command(
    "use",
    examples="""
        noonday config use prod
    """,
)
@click.argument("name")
@click.pass_obj
def use(session: Session, name: str) -> None:
    """Make a profile the current one."""
    save(session.profiles.using(name), path_of(session.environment))
    click.echo(f"profile {name} is current", err=True)


def _settings(access: Access) -> list[tuple[str, str]]:
    return [
        ("url", f"{access.url} (from {access.url_from})"),
        ("token", f"set (from {access.token_from})" if access.token else "none"),
        ("owner", access.owner or "the server chooses"),
    ]


def _profiles(session: Session) -> str:
    current = session.profiles.current
    names = [f"{name} (current)" if name == current else name for name in session.profiles.profiles]
    return ", ".join(names) or "none yet; make run writes one, and so does noonday config set"


def _token() -> str:
    if sys.stdin.isatty():
        token: str = click.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    if not token.strip():
        raise Misused("the token is empty")
    return token.strip()


def _check_url(url: str) -> None:
    from cli.transport import Transport  # noqa: PLC0415 - only here does config know HTTP

    Transport(url, notice=lambda _: None)
