"""The group that the instance commands register with."""

from __future__ import annotations

import click

from cli.command import Group


@click.group(
    cls=Group,
    examples="""
        noonday instance list --state FAILED --from 1d
        # by its id, the first 16 digits of it, or its job and time
        noonday instance show daily-revenue@latest
        noonday instance logs daily-revenue@2026-11-24T06:00:00Z
    """,
)
def instance() -> None:
    """Look at runs: state, log, result; kill, rerun and skip them.

    An instance accounts for one nominal time of one job. Wherever a command takes INSTANCE, write
    its id, the first 16 digits of it, JOB@latest, or JOB@TIME; a TIME without an offset is in the
    job's zone.
    """
