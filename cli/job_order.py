"""The order in which definitions are applied: what others wait for comes before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cli.errors import Unreadable
from cli.job_files import Wanted

Document = dict[str, Any]
Needs = Callable[[str], Iterator[str]]
_SAME_TIME = re.compile(r"\$\{nominal_time(?:[+-]0+[smhdw])?\}")


class _Circle(Exception):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(" -> ".join(names))
        self.names = names


def in_order_of_needs(
    wanted: Sequence[Wanted], others: Mapping[str, Document] | None = None
) -> list[Wanted]:
    """By name, but what others wait for comes before them, where that is possible.

    ``others``: definitions that are on the server already and stay as they are, by name; a job may wait for
    another through them. In this order no definition closes a circle on its way, not even where two jobs
    that are there change places: who no longer waits is changed before who waits for it now.

    Raises:
        Unreadable: some wait for each other at the same nominal time, and would for ever.
    """
    named = {one.name: one for one in sorted(wanted, key=lambda one: one.name)}
    definitions = {**(others or {}), **{name: one.document for name, one in named.items()}}
    try:
        order = _ordered(named, lambda name: _needs(name, definitions))
    except _Circle:  # of another nominal time, which only makes the order free; or a real one
        try:
            order = _ordered(named, lambda name: _needs(name, definitions, same_time=True))
        except _Circle as circle:
            raise _for_ever(circle, named) from None
    return [named[name] for name in order if name in named]


def _ordered(named: Mapping[str, Wanted], needs: Needs) -> list[str]:
    """Depth first; without recursion, because a chain may be as long as it is.

    Raises:
        _Circle: one that a wanted job is part of. Those of the others are not ours to mend.
    """
    done: dict[str, None] = {}
    for name in named:
        way = [] if name in done else [name]
        open_ends = [needs(each) for each in way]
        while way:
            following = next((need for need in open_ends[-1] if need not in done), None)
            if following is None:
                open_ends.pop()
                done[way.pop()] = None
            elif following not in way:
                way.append(following)
                open_ends.append(needs(following))
            elif any(each in named for each in way[way.index(following) :]):
                raise _Circle([*way[way.index(following) :], following])
    return list(done)


def _needs(
    name: str, definitions: Mapping[str, Document], *, same_time: bool = False
) -> Iterator[str]:
    listed = definitions[name].get("prerequisites")
    found = {
        str(each["job"])
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
        and str(each.get("job")) in definitions
        and not (same_time and not _at_same_time(each.get("at")))
    }
    return iter(sorted(found))


def _at_same_time(at: object) -> bool:
    return at is None or _SAME_TIME.fullmatch(str(at)) is not None


def _for_ever(circle: _Circle, named: Mapping[str, Wanted]) -> Unreadable:
    first = next(name for name in circle.names if name in named)
    return Unreadable(
        f"{named[first].at('prerequisites')}: {circle} wait for each other, and would for ever",
        hint="add at: ${previous_time} to one of them, and it waits for the time before",
    )
