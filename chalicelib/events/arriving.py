"""What S3 says was created, and Glue's catalogue changed: who waits for it is checked now, as ``POST
/events/data`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.engine import commands
from chalicelib.events.records import source_of
from chalicelib.model.errors import InvalidInput
from chalicelib.model.prerequisite import GLUE, S3
from chalicelib.model.principal import Principal
from chalicelib.wiring import noonday

LONGEST = 1024  # of S3's keys, and longer than all of Glue's names


def data_arrival(event: Mapping[str, Any]) -> int:
    """How many instances are checked now. Keys come as they are: EventBridge does not encode them.

    A bucket and a catalogue are nobody's: whoever waits is looked at, with what that owner may see.

    Raises:
        Unavailable: the database cannot be asked; whoever invokes it tries again, and the checks go on.
    """
    source = source_of(event)
    try:
        paths = _paths(source, event["detail"])
        return commands.data_arrived(noonday().engine, Principal(source, admin=True), paths)
    except (LookupError, TypeError, AttributeError, InvalidInput) as error:
        noonday().log.line("error", "Unread", source=source, error=repr(error))
        return 0


def _paths(source: str, detail: Mapping[str, Any]) -> Sequence[str]:
    """Glue tells of a table with its partitions, or of all tables of a database that changed."""
    if source != "aws.glue":
        return [f"{S3}{_text(detail['bucket']['name'])}/{_text(detail['object']['key'])}"]
    database = _text(detail["databaseName"])
    tables = [detail["tableName"]] if "tableName" in detail else detail.get("changedTables", [])
    return [f"{GLUE}{database}/{_text(table)}" for table in tables]


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise TypeError(f"{str(value)[:200]!r} is no name")
    return value
