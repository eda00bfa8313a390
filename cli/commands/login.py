"""``noonday login`` and ``noonday logout``: the ID token of a user pool, kept in the profile."""

from __future__ import annotations

import sys
import time

import click

from cli.command import PlainCommand
from cli.errors import Misused
from cli.identity_tokens import IdToken, checked_token
from cli.profiles import path_of, save
from cli.session import Session
from cli.times import iso


@click.command(
    "login",
    cls=PlainCommand,
    examples="""
        # asks for the token, so that it stays out of the shell's history
        noonday login
        # or straight from Cognito
        aws cognito-idp initiate-auth --auth-flow USER_PASSWORD_AUTH --client-id ID \\
          --auth-parameters USERNAME=ann,PASSWORD="$PASSWORD" \\
          --query AuthenticationResult.IdToken --output text | noonday login
    """,
)
@click.pass_obj
def login(session: Session) -> None:
    """Keep an ID token of Cognito in the profile, for a server whose users are in a user pool.

    It is read from the terminal or from standard input, and holds for as long as the pool says, mostly an
    hour. NOONDAY_TOKEN comes before it.
    """
    token = asked_token("ID token")
    found = checked_token(token)
    if found.ends_s is not None and found.ends_s <= time.time():
        raise Misused(f"that token has expired, {_moment(found.ends_s)}", hint="get a new one")
    name = session.profile_name
    kept = session.profiles.with_setting(name, "token", token).with_setting(name, "auth", "cognito")
    save(kept, path_of(session.environment))
    click.echo(f"profile {name}: {_words(found)}", err=True)
    if session.environment.get("NOONDAY_TOKEN"):
        click.echo("warning: NOONDAY_TOKEN is set, and comes before it", err=True)


@click.command(
    "logout",
    cls=PlainCommand,
    examples="""
        noonday logout
    """,
)
@click.pass_obj
def logout(session: Session) -> None:
    """Forget the token of the profile. Elsewhere it holds until it ends."""
    name = session.profile_name
    save(session.profiles.with_setting(name, "token", None), path_of(session.environment))
    click.echo(f"profile {name}: token is taken away", err=True)


def asked_token(prompt: str = "Token") -> str:
    """From the terminal without being shown, or from standard input.

    Raises:
        Misused: nothing was given.
    """
    if sys.stdin.isatty():
        token: str = click.prompt(prompt, hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    if not token.strip():
        raise Misused("the token is empty")
    return token.strip()


def _words(found: IdToken) -> str:
    who = f"signed in as {found.name}" if found.name else "signed in"
    return f"{who} until {_moment(found.ends_s)}" if found.ends_s is not None else who


def _moment(seconds: float) -> str:
    return iso(int(seconds * 1000))
