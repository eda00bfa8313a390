"""Which instances a command of many is for: what somebody said, made into what the store looks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from chalicelib.engine.access import choose_owner, find_backfill, find_job, require
from chalicelib.engine.filters import Candidate, JobFilter, Selection
from chalicelib.engine.ports import Reader
from chalicelib.model.errors import Forbidden, InvalidInput, NotFound, Problem
from chalicelib.model.instance import Instance
from chalicelib.model.instants import format_instant
from chalicelib.model.principal import Principal
from chalicelib.model.states import (
    IN_FLIGHT,
    TERMINAL,
    InstanceKind,
    InstanceState,
    JobState,
    Role,
)

_JOBS_PAGE = 500
_FEW_JOBS = (
    20  # so many are looked up one by one; more are picked out of all that their owners have
)
UNSUCCESSFUL = (InstanceState.FAILED, InstanceState.TIMED_OUT, InstanceState.KILLED)


class Verb(StrEnum):
    """What can be done to many instances at once."""

    KILL = "KILL"
    RERUN = "RERUN"
    SKIP = "SKIP"


APPLIES: Mapping[Verb, frozenset[InstanceState]] = {
    Verb.KILL: IN_FLIGHT | {InstanceState.WAITING},
    Verb.RERUN: TERMINAL,
    Verb.SKIP: frozenset({InstanceState.WAITING}),
}
_MEANT = {**APPLIES, Verb.RERUN: frozenset(UNSUCCESSFUL)}  # where no state is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody said; what is not given does not narrow. [from_ms, to_ms) of nominal time.

    ``owner`` is where to look, and narrows nothing: a profile says it too. ``tags`` must all be the job's.
    ``states``: where none is named, those that the verb is for, of a rerun those that did not succeed.
    """

    owner: str | None = None
    jobs: tuple[str, ...] = ()
    states: tuple[InstanceState, ...] = ()
    kind: InstanceKind | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    backfill: str | None = None
    group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The same, with all references found. ``among``: only instances of these jobs (None: of all).

    ``as_of_ms``: only runs that were created by then, so that nothing is done twice to the same instance.
    """

    selection: Selection
    among: frozenset[str] | None
    kind: InstanceKind | None
    group: str | None
    as_of_ms: int

    def has(self, one: Candidate) -> bool:
        return (
            (self.among is None or one.job_id in self.among)
            and self.kind in (None, one.kind)
            and self.group in (None, one.group)
            and one.run_created_ms <= self.as_of_ms
        )

    def still_has(self, one: Instance) -> bool:
        """Whether it is still what was chosen, now that nobody can move it."""
        return (
            one.state in self.selection.state
            and self.selection.backfill in (None, one.backfill)
            and self.group in (None, one.group)
            and one.run_created_ms <= self.as_of_ms
        )

    def after(self, instance_id: str | None) -> Chosen:
        return replace(self, selection=replace(self.selection, after=instance_id))


def choose(
    reader: Reader, principal: Principal, verb: Verb, choice: Choice, as_of_ms: int
) -> Chosen:
    """What was meant.

    Raises:
        InvalidInput: nothing narrows the choice, or the verb is for none of its states.
        NotFound, Forbidden: a job or backfill that it names is not the principal's to command.
    """
    _check(verb, choice)
    selection = Selection(
        state=tuple(sorted(choice.states or _MEANT[verb])),
        owners=_owners(principal, choice.owner),
        backfill=choice.backfill,
        from_ms=choice.from_ms,
        to_ms=choice.to_ms,
    )
    if choice.backfill is not None:
        backfill = find_backfill(reader, principal, choice.backfill)
        require(principal, backfill.owner, Role.OPERATOR)
    among = _job_ids(reader, principal, choice, selection.owners)
    if among is not None and 0 < len(among) <= _FEW_JOBS and choice.backfill is None:
        selection = replace(selection, job_ids=tuple(sorted(among)))
    return Chosen(selection, among, choice.kind, choice.group, as_of_ms)


def pages(reader: Reader, chosen: Chosen, size: int) -> Iterator[Sequence[Candidate]]:
    """Everything where the chosen ones are, from where it stands; the caller picks those."""
    if chosen.among == frozenset():
        return
    after = chosen.selection.after
    while True:
        wanted = replace(chosen.selection, after=after, limit=size)
        page = reader.selected(wanted)
        yield page
        if len(page) < size:
            return
        after = page[-1].id


def _check(verb: Verb, choice: Choice) -> None:
    narrowing = (
        choice.jobs,
        choice.states,
        choice.kind,
        choice.backfill,
        choice.group,
        choice.tags,
        choice.from_ms is not None,
        choice.to_ms is not None,
    )
    if not any(narrowing):
        message = (
            f"is empty, and would {verb.lower()} everything; name jobs, states, kind, from, to, "
            "backfill, group or tags"
        )
        raise InvalidInput([Problem("filter", message, {})])
    beside = sorted(set(choice.states) - APPLIES[verb])
    if beside:
        fitting = ", ".join(state for state in InstanceState if state in APPLIES[verb])
        message = f"{verb.lower()} is for {fitting}"
        raise InvalidInput([Problem("filter.states", message, list(beside))])
    if None not in (choice.from_ms, choice.to_ms) and (choice.from_ms or 0) >= (choice.to_ms or 0):
        message = f"must be before the end of the span, {format_instant(choice.to_ms or 0)}"
        shown = format_instant(choice.from_ms or 0)
        raise InvalidInput([Problem("filter.from", message, shown)])


def _owners(principal: Principal, owner: str | None) -> tuple[str, ...] | None:
    """Whose instances the principal may command, of the one that was chosen or of all."""
    if owner is not None:
        chosen = choose_owner(principal, owner)
        require(principal, chosen, Role.OPERATOR)
        return (chosen,)
    if principal.admin:
        return None
    mine = sorted(name for name, role in principal.roles.items() if role is not Role.VIEWER)
    if not mine:
        raise Forbidden(f"{principal.name} is an operator nowhere; this takes operator or more")
    return tuple(mine)


def _job_ids(
    reader: Reader, principal: Principal, choice: Choice, owners: Sequence[str] | None
) -> frozenset[str] | None:
    """Of which jobs, if jobs or tags say so; deleted ones too, whose runs may be in flight."""
    if not choice.jobs and not choice.tags:
        return None
    found = [find_job(reader, principal, ref) for ref in choice.jobs]
    for job in found:
        require(principal, job.owner, Role.OPERATOR)
        if choice.owner not in (None, job.owner):
            raise NotFound(f"{choice.owner} has no job {job.name!r}; it is {job.owner}'s")
    named = frozenset(job.id for job in found)
    if not choice.tags:
        return named
    tagged = frozenset(_tagged(reader, choice, owners))
    return tagged & named if choice.jobs else tagged


def _tagged(reader: Reader, choice: Choice, owners: Sequence[str] | None) -> Iterator[str]:
    wanted = JobFilter(
        state=tuple(JobState), tags=tuple(sorted(choice.tags.items())), limit=_JOBS_PAGE
    )
    while True:
        page = reader.jobs(wanted, owners)
        yield from (job.id for job in page)
        if len(page) < _JOBS_PAGE:
            return
        wanted = replace(wanted, after=page[-1].id)
