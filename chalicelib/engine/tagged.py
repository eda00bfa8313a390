"""Jobs by their tags, where something is asked of all of them at once."""

from __future__ import annotations

from chalicelib.engine.filters import JobFilter
from chalicelib.engine.ports import Reader
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.model.principal import Principal

Tags = tuple[tuple[str, str], ...]
"""Names and values, all of which a job must have."""


def tagged(
    reader: Reader, principal: Principal, tags: Tags, owner: str | None, *, most: int
) -> tuple[str, ...]:
    """The jobs that have all the tags now; deleted ones left out.

    Raises:
        InvalidInput: more than ``most`` jobs have them.
    """
    wanted = JobFilter(owner=owner, tags=tags, limit=most + 1)
    found = reader.jobs(wanted, principal.sees)
    if len(found) > most:
        message = f"more than {most:,} jobs have it; ask with owner, with further tags, or without"
        raise InvalidInput([Problem("tag", message, written(tags))])
    return tuple(job.id for job in found)


def written(tags: Tags) -> str:
    """As people write them."""
    return ", ".join(f"{name}={value}" for name, value in tags)
