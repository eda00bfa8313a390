"""``noonday login`` and ``noonday logout``: tokens of a user pool, kept in the profile."""

from __future__ import annotations

import sys
import time

import click

from cli.command import PlainCommand
from cli.errors import Failure, Misused
from cli.identity_tokens import IdToken, checked_token
from cli.profiles import Profile, path_of, save
from cli.session import Session
from cli.times import iso


@click.command(
    "login",
    cls=PlainCommand,
    examples="""
        # asks for the password, and for a code where the pool wants one
        noonday login --user ann --client-id 4k2n8example
        # the client's id is remembered
        noonday login --user ann
        # asks for an ID token that was got elsewhere
        noonday login
        noonday login < id-token.txt
    """,
)
@click.option("--user", metavar="NAME", help="Sign in as this user of the pool.")
@click.option(
    "--client-id",
    metavar="ID",
    help="Client of the user pool, which the stack tells as UserPoolClientId; else the profile's.",
)
@click.option("--region", help="The pool's; else the profile's, or that of the server's address.")
@click.pass_obj
def login(session: Session, user: str | None, client_id: str | None, region: str | None) -> None:
    """Sign in to the user pool of Cognito that the server's users are in.

    With --user the password is asked for, the profile keeps the tokens, and they are renewed for as long as
    the pool lets somebody be signed in, mostly 30 days. Without it, an ID token is read, which holds for
    as long as it says, mostly an hour. Both come from the terminal or from standard input, line by line.
    NOONDAY_TOKEN comes before the profile.
    """
    name = session.profile_name
    if user is None:
        if client_id or region:
            raise Misused("--client-id and --region go with --user", hint="add --user NAME")
        token, kept = asked_token("ID token"), session.profiles.with_token(name, None)
        refresh = None
    else:
        client_id, region = _pool(session, client_id, region)
        pool = session.pool(region, client_id)
        tokens = pool.sign_in(user, asked_token("Password"), asked_token)
        token, refresh = tokens.identity, tokens.refresh
        kept = session.profiles.with_setting(name, "client_id", client_id)
        kept = kept.with_setting(name, "region", region)
    found = checked_token(token)
    if found.ends_s is not None and found.ends_s <= time.time():
        raise Misused(f"that token has expired, {_moment(found.ends_s)}", hint="get a new one")
    kept = kept.with_token(name, token, refresh).with_setting(name, "auth", "cognito")
    save(kept, path_of(session.environment))
    renewed = ", and renewed from then on" if refresh else ""
    click.echo(f"profile {name}: {_words(found)}{renewed}", err=True)
    if session.environment.get("NOONDAY_TOKEN"):
        click.echo("warning: NOONDAY_TOKEN is set, and comes before it", err=True)


def _pool(session: Session, client_id: str | None, region: str | None) -> tuple[str, str]:
    """Client and region, from the command line or what is known of the profile and its server."""
    known = session.profiles.profiles.get(session.profile_name, Profile())
    client_id = client_id or known.client_id
    region = region or session.access().region
    if client_id is None:
        raise Misused(
            "which client of the user pool is not known: --client-id is missing",
            hint="whoever deployed Noonday finds it among the stack's outputs, as UserPoolClientId",
        )
    if region is None:
        raise Misused("the user pool's region is not known", hint="add --region eu-central-1")
    return client_id, region


@click.command(
    "logout",
    cls=PlainCommand,
    examples="""
        noonday logout
    """,
)
@click.pass_obj
def logout(session: Session) -> None:
    """Forget the tokens of the profile, and have the pool renew them no more.

    An ID token that somebody else has holds until it ends.
    """
    name = session.profile_name
    known = session.profiles.profiles.get(name, Profile())
    save(session.profiles.with_token(name, None), path_of(session.environment))
    click.echo(f"profile {name}: token is taken away", err=True)
    region = session.access().region
    if known.refresh and known.client_id and region:
        try:
            session.pool(region, known.client_id).revoke(known.refresh)
        except Failure as error:  # it is gone from here, which is what was asked for
            click.echo(f"warning: it could not be revoked: {error.message}", err=True)


def asked_token(prompt: str = "Token") -> str:
    """From the terminal without being shown, or a line of standard input.

    Raises:
        Misused: nothing was given.
    """
    if sys.stdin.isatty():
        token: str = click.prompt(prompt, hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    if not token.strip():
        raise Misused(f"the {prompt if prompt.startswith('ID') else prompt.lower()} is empty")
    return token.strip("\r\n") if "assword" in prompt else token.strip()


def _words(found: IdToken) -> str:
    who = f"signed in as {found.name}" if found.name else "signed in"
    return f"{who} until {_moment(found.ends_s)}" if found.ends_s is not None else who


def _moment(seconds: float) -> str:
    return iso(int(seconds * 1000))
