"""What people ask about concurrency groups: how full they are, who is in them and who waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.engine.access import choose_owner, require
from chalicelib.engine.engine import Engine
from chalicelib.engine.ports import Reader
from chalicelib.model.errors import NotFound
from chalicelib.model.group import Group
from chalicelib.model.instance import Instance
from chalicelib.model.principal import Principal
from chalicelib.model.states import GroupPlace, Role

MEMBERS = 20
JOBS = 100


@dataclass(frozen=True, slots=True)
class GroupView:
    """``held``: so many instances hold a slot; ``queued``: so many wait for one."""

    group: Group
    held: int
    queued: int


@dataclass(frozen=True, slots=True)
class GroupDetail:
    """``jobs``: the names of those that name it. Holders and waiters: the oldest nominal times first."""

    view: GroupView
    jobs: Sequence[str]
    holders: Sequence[Instance]
    waiters: Sequence[Instance]
    job_names: Mapping[str, str]


def groups(engine: Engine, principal: Principal, owner: str | None = None) -> Sequence[GroupView]:
    """Those of the principal's owners, or of one of them; by owner and name."""
    sees = principal.sees if owner is None else [choose_owner(principal, owner)]

    def work(reader: Reader) -> Sequence[GroupView]:
        found = reader.groups(sees)
        return [
            view
            for one in sorted({group.owner for group in found})
            for view in _views(reader, one, [group for group in found if group.owner == one])
        ]

    return engine.store.read(work)


def group(engine: Engine, principal: Principal, name: str, owner: str | None = None) -> GroupDetail:
    """Raises NotFound when the owner has none of that name."""
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.VIEWER)

    def work(reader: Reader) -> GroupDetail:
        found = reader.groups_named(chosen, [name])
        if not found:
            raise NotFound(f"{chosen} has no group {name!r}")
        [view] = _views(reader, chosen, found)
        holders = reader.group_members(chosen, name, GroupPlace.HELD, MEMBERS)
        waiters = reader.group_members(chosen, name, GroupPlace.QUEUED, MEMBERS)
        names = reader.job_names({one.job_id for one in (*holders, *waiters)})
        jobs = [job for _, job in reader.group_jobs(chosen, name, JOBS)]
        return GroupDetail(view, jobs, holders, waiters, names)

    return engine.store.read(work)


def _views(reader: Reader, owner: str, found: Sequence[Group]) -> Sequence[GroupView]:
    places = reader.group_places(owner, [one.name for one in found])
    return [
        GroupView(
            one,
            held=places.get((one.name, GroupPlace.HELD), 0),
            queued=places.get((one.name, GroupPlace.QUEUED), 0),
        )
        for one in found
    ]
