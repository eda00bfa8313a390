"""Events of services that say that what a run started has ended: they find the run, and its target is asked.

What an event says of the end is not believed: it may be forged, doubled, late, or ahead of the launch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.engine.announcing import Announced, end_announced
from chalicelib.events.records import source_of
from chalicelib.events.rules import BUILD, NAMES, TOKENS
from chalicelib.wiring import noonday

Detail = Mapping[str, Any]
TOKEN = "NOONDAY_TOKEN"  # noqa: S105 - the name of a variable


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
    if kind in TOKENS:
        return Announced(token=_text(detail.get(TOKENS[kind], "")))
    if kind in NAMES:
        return Announced(external_id=_text(detail[NAMES[kind]]))
    if kind != BUILD:
        raise LookupError(f"nothing of Noonday's sends {kind[1]!r}")
    variables = detail["additional-information"]["environment"].get("environment-variables", ())
    tokens = [one["value"] for one in variables if one["name"] == TOKEN]
    return Announced(token=_text(tokens[-1] if tokens else ""))


def _text(value: object) -> str:
    """Services name their work in signs that can be seen; what a database refuses is none of them."""
    if not isinstance(value, str) or not (value == "" or value.isprintable()):
        raise TypeError(f"{str(value)[:200]!r} is no name of a run")
    return value
