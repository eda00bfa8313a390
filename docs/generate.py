"""Write the generated parts of the documents anew, from the code that they describe (``make docs``).

A document marks such a part with ``<!-- generated: NAME -->`` and ``<!-- end -->``; a test checks that
what stands between them is what this would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from chalicelib import api
from chalicelib.api.problems import STATUSES
from chalicelib.api.resource import Operation
from chalicelib.model import definition
from chalicelib.model.calendar import Calendar
from chalicelib.model.errors import NoondayError
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.model.schedule import Schedule
from chalicelib.settings import SETTINGS
from chalicelib.targets import GlueProbe, S3Probe, registry
from chalicelib.targets.aws_kind import Need
from chalicelib.targets.aws_lambda import LambdaSyncTarget
from chalicelib.targets.http import HttpTarget
from chalicelib.targets.process import ProcessTarget
from chalicelib.targets.s3_results import S3Results
from chalicelib.targets.sql import SqlTarget
from docs import cli_commands, log_lines, state_diagrams
from docs.fields import fields_of
from docs.markdown import code, plain, table
from infra import costs, prices
from infra.alarms import wanted as wanted_alarms
from infra.capacity import max_connections
from infra.functions import SIZES, declared
from infra.stage import Database, Stage

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Part = Callable[[], Iterator[str]]


def settings() -> Iterator[str]:
    rows = (
        [code(name), code(default) if default else "", plain(meaning)]
        for name, (default, meaning) in SETTINGS.items()
    )
    yield from table(["setting", "default", "meaning"], rows)


def routes() -> Iterator[str]:
    rows = (
        [code(f"{each.method} {each.path}"), each.summary, _traits(each)]
        for each in api.operations()
    )
    yield from table(["route", "", ""], rows)


def _traits(operation: Operation) -> str:
    """What a caller must know before calling."""
    traits = {
        "no token needed": operation.public,
        "`Idempotency-Key`": operation.creates,
        "`If-Match`": operation.guarded,
    }
    return ", ".join(name for name, holds in traits.items() if holds)


def problems() -> Iterator[str]:
    """Every code, with its status: the tree of errors has one place where statuses are chosen."""
    rows = (
        [
            code(error.code),
            str(STATUSES[next(k for k in error.__mro__ if k in STATUSES)]),
            _says(error),
        ]
        for error in _leaves(NoondayError)
    )
    yield from table(["code", "status", ""], sorted(rows, key=lambda row: (row[1], row[0])))


def _leaves(error: type[NoondayError]) -> Iterator[type[NoondayError]]:
    for child in error.__subclasses__():
        if "code" in vars(child):
            yield child
        yield from _leaves(child)


def _says(error: type[NoondayError]) -> str:
    return plain((error.__doc__ or "").partition("\n")[0])


def permissions() -> Iterator[str]:
    """What each kind's role needs, from the code that calls."""
    kinds: Sequence[Any] = (*registry.kinds_on_aws(), S3Probe, GlueProbe, S3Results)
    rows = ([code(kind.name), *_need(need)] for kind in kinds for need in kind.needs)
    yield from table(["kind", "action", "on"], rows)


def _need(need: Need) -> Iterator[str]:
    yield code(need.action) if " " not in need.action else need.action
    on = code(need.on) if ":" in need.on or need.on == "*" else need.on
    when = f", with `{need.when}`" if need.when and f"{{{need.when}}}" not in need.on else ""
    yield f"{on}{when}{'; AWS itself does it' if need.on_behalf else ''}"


def alarms() -> Iterator[str]:
    """What each alarm means and what to do, from the table that makes them."""
    every = wanted_alarms(declared(), Stage(name="dev"), max_connections(Database().instance))
    rows = ([code(one.name), plain(one.meaning), plain(one.remedy)] for one in every)
    yield from table(["alarm", "it means", "what to do"], rows)


def monthly() -> Iterator[str]:
    yield from table(costs.HEADER, costs.rows())


def runs_cost() -> Iterator[str]:
    yield from table(costs.COUNTED_HEADER, costs.counted())


def price_list() -> Iterator[str]:
    yield from table(["price", "dollars", "for", "read in"], prices.rows())
    yield ""
    yield f"us-east-1, on demand; looked at on {prices.LOOKED}, in stored copies of these pages."


def reach() -> Iterator[str]:
    """How far the limits of a stage go, and where the lines cross."""
    run, limits = costs.a_run(), (SIZES["launch"].concurrency, SIZES["completion"].concurrency)
    yield (
        f"* The limits of `infra/functions.py` keep up with some **{costs.bearable():,} hourly jobs**,"
        " evenly spread:"
    )
    yield (
        f"  {limits[0]} processes launch, ask and settle, {run.launch_s * 1000:.0f} ms of one for a run; "
        f"{limits[1]} hear of ends,"
    )
    yield f"  {run.completion_s * 1000:.0f} ms each."
    yield (
        "* The default stage costs as much as MWAA's small environment costs idle at "
        f"{costs.level_with_mwaa():,} hourly jobs."
    )


PARTS: Mapping[str, Part] = {
    "costs": monthly,
    "runs-cost": runs_cost,
    "prices": price_list,
    "reach": reach,
    "alarms": alarms,
    "log-facts": log_lines.log_facts,
    "metrics": log_lines.metrics,
    "job-diagram": state_diagrams.job_diagram,
    "job-table": state_diagrams.job_table,
    "instance-diagram": state_diagrams.instance_diagram,
    "instance-table": state_diagrams.instance_table,
    "settings": settings,
    "routes": routes,
    "problems": problems,
    "commands": cli_commands.commands,
    "definition-fields": partial(fields_of, definition.Definition),
    "schedule-fields": partial(fields_of, Schedule),
    "calendar-fields": partial(fields_of, Calendar),
    "prerequisite-fields": partial(fields_of, Prerequisite),
    "policies-fields": partial(fields_of, definition.Policies),
    "catch-up-fields": partial(fields_of, definition.CatchUp),
    "retries-fields": partial(fields_of, definition.Retries),
    "launch-retries-fields": partial(fields_of, definition.LaunchRetries),
    "timeouts-fields": partial(fields_of, definition.Timeouts),
    "notify-fields": partial(fields_of, definition.Notify),
    "sql-fields": partial(fields_of, SqlTarget),
    "http-fields": partial(fields_of, HttpTarget),
    "process-fields": partial(fields_of, ProcessTarget),
    "lambda-sync-fields": partial(fields_of, LambdaSyncTarget),
    "permissions": permissions,
    **{
        f"{kind.name.replace('_', '-')}-fields": partial(fields_of, kind.spec)
        for kind in registry.kinds_on_aws()
    },
}


def current(text: str) -> str:
    """The document, with its generated parts as they should be now."""

    def write(part: re.Match[str]) -> str:
        return "\n".join((part[1], *PARTS[part[2]](), "", part[3]))

    return PART.sub(write, text)


def main() -> int:
    for path in sorted(DOCS.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = current(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{path.name} written anew\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
