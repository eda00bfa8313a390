"""The entry: the root command, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from cli.command import Group
from cli.complaint import complain, explain_usage
from cli.errors import Failure
from cli.session import Session

# Loaded only when used: `noonday --help` imports neither HTTP nor YAML.
COMMANDS = {
    "job": ("cli.commands.job:job", "Submit jobs, and command and look at them."),
    "instance": (
        "cli.commands.instance:instance",
        "Look at runs: state, log, result; kill, rerun and skip them.",
    ),
    "backfill": ("cli.commands.backfill:backfill", "Run ranges of nominal times that have passed."),
    "schedule": ("cli.commands.schedule:schedule", "Try a schedule before a job has it."),
    "calendar": ("cli.commands.calendar:calendar", "Days and times at which jobs do not fire."),
    "group": (
        "cli.commands.group:group",
        "Concurrency groups: limits that several jobs share.",
    ),
    "stats": ("cli.commands.stats:stats", "Show how well things went: rates, times, skips."),
    "notification": (
        "cli.commands.notification:notification",
        "What jobs tell webhooks, and whether it arrived.",
    ),
    "data": ("cli.commands.data:data", "Say that data has arrived."),
    "events": ("cli.commands.events:events", "Show who did what, when and why."),
    "owner": ("cli.commands.owner:owner", "Teams, their members, and access tokens."),
    "callback-key": (
        "cli.commands.callback_key:callback_key",
        "Keys that sign the tokens of targets which report themselves.",
    ),
    "pause": ("cli.commands.pause:pause", "Let nothing begin, for incidents and restores."),
    "resume": ("cli.commands.pause:resume", "End the pause of everything."),
    "clock": ("cli.commands.clock:clock", "Show the server's clock, or move it by hand."),
    "config": ("cli.commands.config:config", "Choose the server, its token and the owner."),
    "login": ("cli.commands.login:login", "Keep an ID token, where users are in a user pool."),
    "logout": ("cli.commands.login:logout", "Forget the token."),
    "health": ("cli.commands.health:health", "Ask whether the server is well."),
    "whoami": ("cli.commands.health:whoami", "Show whom the server takes you for."),
    "completion": ("cli.commands.completion:completion", "Print the completion of your shell."),
}


def _say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if not wanted or ctx.resilient_parsing:
        return
    from importlib import metadata  # noqa: PLC0415 - nothing else needs it

    try:
        click.echo(f"noonday {metadata.version('noonday')}")
    except metadata.PackageNotFoundError:
        click.echo("noonday, not installed: run from its source")
    ctx.exit()


@click.group(
    cls=Group,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples="""
        # start a server on this machine (in the repository), then submit a first job
        make run
        noonday job submit examples/hello.yaml --schedule
        # see what ran, and what comes next
        noonday instance list
        noonday job next hello
        # every command explains itself
        noonday job submit --help
    """,
)
@click.option("--url", metavar="URL", help="The server; else NOONDAY_URL, else the profile's.")
@click.option("--profile", metavar="NAME", help="The profile; else the current one.")
@click.option("--owner", metavar="OWNER", help="The team to act for, where you have several.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version and exit.",
)
@click.pass_context
def noonday(ctx: click.Context, url: str | None, profile: str | None, owner: str | None) -> None:
    """Noonday schedules jobs and remembers every run.

    Submit a job, see it fire, suspend and resume it, and ask what happened.

    \b
    Exit codes: 0 done, 1 error, 2 wrong command line, 3 not found, 4 conflict,
    5 the run did not succeed (--wait), 6 there are differences (--exit-code).
    """
    ctx.obj = Session(environment=os.environ, url=url, profile=profile, owner=owner)
    ctx.call_on_close(ctx.obj.close)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; never raises, never shows a stack trace."""
    _let_any_text_through()
    try:
        # None, or the code that a command ended with by click's Exit.
        code = noonday.main(args=arguments, prog_name="noonday", standalone_mode=False)
        # Here, so that a reader who has left is met by the lines below and not at exit.
        sys.stdout.flush()
    except click.UsageError as error:
        explain_usage(error)
        return 2
    except click.ClickException as error:
        complain(Failure(error.format_message()))
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except Failure as failure:
        complain(failure)
        return failure.exit_code
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        complain(Failure(f"{error.filename or 'the system'}: {error.strerror or error}"))
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: a defect must not show its stack
        return _defect(error)
    return code or 0


def _let_any_text_through() -> None:
    """A terminal that cannot show a character gets its escape, not an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _reader_left() -> int:
    """``noonday … | head``: the rest is not wanted, and the flush at exit must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def _defect(error: Exception) -> int:
    if os.environ.get("NOONDAY_DEBUG"):
        raise error
    complain(
        Failure(
            f"noonday itself went wrong: {type(error).__name__}: {error}",
            hint="this is a defect; run it again with NOONDAY_DEBUG=1 and report what it prints",
        )
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
