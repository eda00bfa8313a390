"""The other jobs that a definition waits for: whether there are any of that name, and no circle of them."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.engine.access import choose_owner
from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Reader
from chalicelib.model.definition import Definition
from chalicelib.model.errors import Problem
from chalicelib.model.principal import Principal

MOST_JOBS = 200  # so many are followed; a longer chain is believed


def circle_problems(reader: Reader, owner: str, definition: Definition) -> Sequence[Problem]:
    """Prerequisites by which the job would wait for itself at the same nominal time, for ever.

    As the other jobs are now: two that are submitted at the same moment may still close a circle.
    """
    problems = []
    for place, one in enumerate(definition.prerequisites):
        if one.job is None or not one.same_time:
            continue
        circle = [one.job] if one.job == definition.name else None
        circle = circle or _way_back(reader, owner, one.job, definition.name)
        if circle:
            way = " -> ".join([definition.name, *circle])
            message = (
                f"closes a circle ({way}): at the same nominal time each would wait for ever; "
                "add at: ${previous_time}, or at: ${nominal_time-1d}, to one of them, or first let one "
                "of the others wait no more"
            )
            problems.append(Problem(f"prerequisites.{place}.job", message, one.job))
    return problems


def missing_upstreams(
    engine: Engine, principal: Principal, definition: Definition, owner: str | None
) -> Sequence[str]:
    """Warnings: jobs that it waits for and that there are not. They may be submitted later."""
    chosen = choose_owner(principal, owner)
    names = sorted({one.job for one in definition.prerequisites if one.job is not None})

    def work(reader: Reader) -> Sequence[str]:
        return [name for name in names if not reader.job_named(name, [chosen])]

    missing = engine.store.read(work) if names else ()
    return [
        f"{chosen} has no job {name!r} yet; instances wait until it has one that succeeded"
        for name in missing
    ]


def _way_back(reader: Reader, owner: str, first: str, goal: str) -> list[str] | None:
    """The names from the first to the goal, as the stored definitions lead; None if they do not."""
    ways = {first: [first]}
    open_ends = [first]
    while open_ends and len(ways) <= MOST_JOBS:
        name = open_ends.pop(0)
        for follower in _waits_for(reader, owner, name):
            if follower == goal:
                return [*ways[name], goal]
            if follower not in ways:
                ways[follower] = [*ways[name], follower]
                open_ends.append(follower)
    return None


def _waits_for(reader: Reader, owner: str, name: str) -> Sequence[str]:
    """At the same nominal time. A definition that this version cannot read leads nowhere."""
    names: list[str] = []
    for job in reader.job_named(name, [owner]):
        try:
            prerequisites = job.definition.prerequisites
        except ValueError:
            continue
        names += [one.job for one in prerequisites if one.job is not None and one.same_time]
    return names
