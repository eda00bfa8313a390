"""Events of services that say that what a run started has ended: they find the run, and its target is asked.

What an event says of the end is not believed: it may be forged, doubled, late, or ahead of the launch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.engine.announcing import Announced, end_announced
from chalicelib.events.records import source_of
from chalicelib.wiring import noonday

Detail = Mapping[str, Any]
TOKEN = "NOONDAY_TOKEN"  # noqa: S105 - the name of a variable


_TOKENS = {
    ("aws.states", "Step Functions Execution Status Change"): "name",
    ("aws.ecs", "ECS Task State Change"): "startedBy",
    ("aws.batch", "Batch Job State Change"): "jobName",
    ("aws.redshift-data", "Redshift Data Statement Status Change"): "statementName",
}
"""Source and type of an event, and where it carries the token of the run; other work may carry nothing."""

_NAMES = {
    ("aws.glue", "Glue Job State Change"): "jobRunId",
    ("aws.athena", "Athena Query State Change"): "queryExecutionId",
}
"""Those that say only what the service itself calls the run."""

_BUILD = ("aws.codebuild", "CodeBuild Build State Change")
"""Carries the build's variables, and among them the token."""

_KINDS = [*_TOKENS, *_NAMES, _BUILD]
_ENDS = (
    ("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]),  # Step Functions, Batch
    ("lastStatus", ["STOPPED"]),  # ECS
    # Glue, and the last two with FAILED Redshift
    ("state", ["SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "FINISHED", "ABORTED"]),
    ("currentState", ["SUCCEEDED", "FAILED", "CANCELLED"]),  # Athena
    ("build-status", ["SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"]),  # CodeBuild
)

PATTERN: dict[str, Any] = {
    "source": sorted(source for source, _ in _KINDS),
    "detail-type": sorted(kind for _, kind in _KINDS),
    "detail": {"$or": [{field: states} for field, states in _ENDS]},
}
"""What the rule lets through: ends only. Steps on the way are left to the polls."""


def completion(event: Mapping[str, Any]) -> int:
    """How many runs are looked at now; an event of somebody else's work is none of ours.

    Raises:
        Unavailable: the database cannot be asked; whoever invokes it tries again, and the polls go on.
    """
    source = source_of(event)
    try:
        announced = _announced((source, str(event["detail-type"])), event["detail"])
    except (LookupError, TypeError, AttributeError) as error:
        noonday().log.line("error", "Unread", source=source, error=repr(error))
        return 0
    return end_announced(noonday().engine, source, announced)


def _announced(kind: tuple[str, str], detail: Detail) -> Announced:
    if kind in _TOKENS:
        return Announced(token=_text(detail.get(_TOKENS[kind], "")))
    if kind in _NAMES:
        return Announced(external_id=_text(detail[_NAMES[kind]]))
    if kind != _BUILD:
        raise LookupError(f"nothing of Noonday's sends {kind[1]!r}")
    variables = detail["additional-information"]["environment"].get("environment-variables", ())
    tokens = [one["value"] for one in variables if one["name"] == TOKEN]
    return Announced(token=_text(tokens[-1] if tokens else ""))


def _text(value: object) -> str:
    """Services name their work in signs that can be seen; what a database refuses is none of them."""
    if not isinstance(value, str) or not (value == "" or value.isprintable()):
        raise TypeError(f"{str(value)[:200]!r} is no name of a run")
    return value
