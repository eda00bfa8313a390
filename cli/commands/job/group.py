"""The group that the job commands register with."""

from __future__ import annotations

import click

from cli.command import Group


@click.group(
    cls=Group,
    aliases={"upcoming": "next"},
    examples="""
        # submit a job and let it fire by its schedule
        noonday job submit daily-revenue.yaml --schedule
        # hold it, and let it go on
        noonday job suspend daily-revenue --reason "source is being repaired"
        noonday job resume daily-revenue --catch-up latest
        # run it once, now, and wait for the end
        noonday job trigger daily-revenue --wait
    """,
)
def job() -> None:
    """Submit jobs, and command and look at them.

    A job is what to run and when. Wherever a command takes JOB, write its name or its id;
    where several teams have one of that name, OWNER:NAME.
    """
