"""Concurrency groups: set and deleted. What a larger one has to give is given in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.engine.access import choose_owner, require
from chalicelib.engine.consequences import fill_groups
from chalicelib.engine.engine import Engine
from chalicelib.engine.narration import administered
from chalicelib.engine.ports import Transaction
from chalicelib.engine.quotas import lock_owner
from chalicelib.engine.wakeups import ring
from chalicelib.model.errors import (
    AlreadyExists,
    GroupInUse,
    InvalidInput,
    NotFound,
    Problem,
    StaleEdit,
)
from chalicelib.model.event import Event
from chalicelib.model.group import LARGEST, Group
from chalicelib.model.identity import SLUG
from chalicelib.model.principal import Principal
from chalicelib.model.states import Role

VERB = "GROUP"
_SHOWN = 10
_TOLD = 1000  # so many jobs at most have the change of a size in their history


@dataclass(frozen=True, slots=True)
class GroupSet:
    """``created``: there was none of that name. ``given``: how many that waited have a slot now."""

    group: Group
    created: bool = False
    given: int = 0


def set_group(
    engine: Engine,
    principal: Principal,
    name: str,
    size: int,
    *,
    description: str | None = None,
    owner: str | None = None,
    if_match: int | None = None,
    reason: str | None = None,
) -> GroupSet:
    """Create or replace a group. A larger one gives its new slots to those that wait longest, at once; a
    smaller one takes none away: those at work end, and nobody follows until there is room again.
    ``description``: None keeps what there is.

    Raises:
        InvalidInput, Forbidden, StaleEdit: nothing was changed.
    """
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.OWNER)
    _check(name, size)

    def unit(tx: Transaction) -> GroupSet:
        now = engine.clock.now_ms()
        lock_owner(engine, tx, chosen)
        before = tx.lock_groups([(chosen, name)]).get((chosen, name))
        if before is None:
            if if_match is not None:
                raise StaleEdit(f"{chosen} has no group {name}; send no If-Match to create it")
            group = _new(principal, chosen, name, size, description or "", now)
            tx.insert_group(group)
            return GroupSet(group, created=True, given=fill_groups(tx, [(chosen, name)], now))
        _check_edit(before, if_match)
        wanted = replace(
            before,
            size=size,
            description=before.description if description is None else description,
        )
        if wanted == before:
            return GroupSet(before)
        after = replace(
            wanted,
            edit=before.edit + 1,
            modified_ms=now,
            modified_by=principal.name,
        )
        tx.save_group(after)
        if after.size != before.size:
            tx.insert_events(_events(engine, tx, before, after, reason))
        return GroupSet(after, given=fill_groups(tx, [(chosen, name)], now))

    try:
        result = engine.store.transact(unit)
    except AlreadyExists:  # somebody made it at this moment: now it is there to be changed
        result = engine.store.transact(unit)
    administered(engine, principal.name, VERB, f"group {name}: {size}", chosen)
    if result.given:
        ring(engine, [engine.clock.now_ms()], arms=False)
    return result


def delete_group(
    engine: Engine,
    principal: Principal,
    name: str,
    *,
    owner: str | None = None,
    if_match: int | None = None,
) -> None:
    """A job that names a group is written under the group's lock, so that none is missed here.

    Raises:
        NotFound: there is none.
        GroupInUse: jobs name it (deleted ones do not count), or instances of it have not ended.
    """
    chosen = choose_owner(principal, owner)
    require(principal, chosen, Role.OWNER)

    def unit(tx: Transaction) -> None:
        before = tx.lock_groups([(chosen, name)]).get((chosen, name))
        if before is None:
            raise NotFound(f"{chosen} has no group {name!r}")
        _check_edit(before, if_match)
        users = [job for _, job in tx.group_jobs(chosen, name, _SHOWN + 1)]
        if users:
            raise GroupInUse(
                f"{name} is named by {_listed(users)}; take it out of their policies.group first"
            )
        if tx.has_members((chosen, name)):
            raise GroupInUse(
                f"instances that belong to {name} have not ended; wait for them, kill or skip them"
            )
        tx.delete_group(chosen, name)

    engine.store.transact(unit)
    administered(engine, principal.name, "GROUP_DELETE", f"group {name}", chosen)


def _events(
    engine: Engine, tx: Transaction, before: Group, after: Group, reason: str | None
) -> Sequence[Event]:
    """A line in the history of each job that names the group: its instances begin earlier or later now."""
    facts = {"group": after.name, "size": after.size, "before": before.size, "edit": after.edit}
    return [
        Event(
            id=engine.ids.new(),
            owner=after.owner,
            job_id=job_id,
            at_ms=after.modified_ms,
            actor=after.modified_by,
            verb=VERB,
            reason=reason,
            detail_json=json.dumps(facts),
        )
        for job_id, _ in tx.group_jobs(after.owner, after.name, _TOLD)
    ]


def _check(name: str, size: int) -> None:
    problems = []
    if SLUG.fullmatch(name) is None:
        message = "must be 1 to 100 of a-z, 0-9, dot, underscore, hyphen, a letter or digit first"
        problems.append(Problem("name", message, name))
    if not 0 <= size <= LARGEST:
        problems.append(Problem("size", f"must be 0 to {LARGEST:,}; 0 lets nothing begin", size))
    if problems:
        raise InvalidInput(problems)


def _new(
    principal: Principal, owner: str, name: str, size: int, description: str, now: int
) -> Group:
    return Group(
        owner=owner,
        name=name,
        size=size,
        description=description,
        created_ms=now,
        created_by=principal.name,
        modified_ms=now,
        modified_by=principal.name,
    )


def _check_edit(group: Group, if_match: int | None) -> None:
    if if_match is not None and if_match != group.edit:
        raise StaleEdit(
            f"the group has moved on: it is at edit {group.edit}, the request was for {if_match}; "
            "read it again and decide anew"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
