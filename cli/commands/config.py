"""``noonday config``: which server, with which token, for which owner."""

from __future__ import annotations

import json
import re
import time

import click

from cli.command import Group, PlainCommand
from cli.commands.login import asked_token
from cli.errors import Misused
from cli.gateway import AUTHS
from cli.identity_tokens import read_token
from cli.output import to_yaml
from cli.profiles import path_of, save
from cli.session import FORMATS, Access, Session
from cli.text import one_line
from cli.times import iso

SETTINGS = ("url", "token", "owner", "auth", "region", "aws-profile")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")


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

    A server at an address of API Gateway gets requests that are signed with credentials of AWS, as the AWS
    CLI finds them; auth iam and region say so for an address of your own, and aws-profile chooses among
    AWS's profiles. It takes noonday[aws]. Where users are in a user pool, see noonday login.

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
@click.option(
    "-o",
    "--output",
    type=click.Choice(FORMATS),
    metavar="FORMAT",
    default="table",
    show_default=True,
    help="table, json or yaml.",
)
@click.pass_obj
def show(session: Session, output: str) -> None:
    """Show which server is used, and where each setting comes from.

    Tokens are not shown.
    """
    access = session.access()
    file = path_of(session.environment)
    if output != "table":
        document = {
            "url": access.url,
            "owner": access.owner,
            "has_token": access.token is not None,
            "auth": access.auth,
            "region": access.region,
            "aws_profile": access.aws_profile,
            "profile": session.profile_name,
            "profiles": sorted(session.profiles.profiles),
            "file": str(file),
        }
        shown = json.dumps(document, indent=2) if output == "json" else to_yaml(document).rstrip()
        click.echo(shown)
        return
    for name, value in _settings(access):
        click.echo(f"{name:11}  {value}")
    click.echo(f"{'file':11}  {file}{'' if file.exists() else ' (not there yet)'}")
    click.echo(f"{'profiles':11}  {_profiles(session)}")


@config.command(
    "set",
    examples="""
        noonday config set url http://127.0.0.1:8080
        noonday config set owner finance
        # the token is asked for, so that it stays out of the shell's history
        noonday config set token
        noonday config set token < token.txt
        # an API of AWS behind an address of your own
        noonday config set auth iam
        noonday config set region eu-central-1
        noonday config set aws-profile work
    """,
)
@click.argument("setting", type=click.Choice(SETTINGS))
@click.argument("value", required=False)
@click.pass_obj
def set_value(session: Session, setting: str, value: str | None) -> None:
    """Set the url, token or owner of a profile, or how it signs.

    It is the current profile, or the one that --profile names before config. auth (token, iam,
    cognito), region and aws-profile say how requests are signed for AWS. Without a value, token is
    read from the terminal or from standard input, and the others are taken away.
    """
    if setting == "token" and value is None:
        value = asked_token()
    if value is not None:
        _check(setting, value)
    name, key = session.profile_name, setting.replace("-", "_")
    changed = session.profiles.with_setting(name, key, value)
    if setting == "token":
        changed = session.profiles.with_token(name, value)
    save(changed, path_of(session.environment))
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
        ("auth", f"{access.auth} (from {access.auth_from})"),
        *(_signing(access) if access.auth == "iam" else [("token", _token_words(access))]),
        ("owner", access.owner or "the server chooses"),
    ]


def _signing(access: Access) -> list[tuple[str, str]]:
    return [
        ("region", access.region or "as AWS's configuration says"),
        ("aws-profile", access.aws_profile or "as AWS's configuration says"),
    ]


def _token_words(access: Access) -> str:
    """Never the token itself; of an ID token whose it is, and until when."""
    if not access.token:
        return "none"
    words = f"set (from {access.token_from})"
    found = read_token(access.token) if access.auth == "cognito" else None
    if found is None:
        return words
    ended = found.ends_s is not None and found.ends_s <= time.time()
    until = (
        f", {'expired' if ended else 'until'} {iso(int(found.ends_s * 1000))}"
        if found.ends_s
        else ""
    )
    return f"{words}: {one_line(found.name or 'of nobody')}{until}"


def _profiles(session: Session) -> str:
    current = session.profiles.current
    names = [f"{name} (current)" if name == current else name for name in session.profiles.profiles]
    return ", ".join(names) or "none yet; make run writes one, and so does noonday config set"


def _check(setting: str, value: str) -> None:
    """Raises Misused for a value that could never be used."""
    if setting == "url":
        from cli.transport import Transport  # noqa: PLC0415 - only here does config know HTTP

        Transport(value, notice=lambda _: None)
    if setting == "auth" and value not in AUTHS:
        raise Misused(f"auth is {value!r}", hint=f"set it to one of {', '.join(AUTHS)}")
    if setting == "region" and not _REGION.fullmatch(value):
        raise Misused(f"{value!r} is no region of AWS", hint="write it like eu-central-1")
