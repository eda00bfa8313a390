"""kill, rerun and skip of many instances: counted first, then done in batches that each are whole.

A batch is one transaction, and says how far it came by the id of the last instance it looked at. Ids only
grow along the way, and runs that are younger than the command are left alone; so whoever repeats a request
whose answer was lost does nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib.engine.commands.choosing import Choice, Chosen, Verb, choose, pages
from chalicelib.engine.commands.instance_effects import killed, run_again, skipped
from chalicelib.engine.commands.instances import ignoring, instance_event, of_instance
from chalicelib.engine.consequences import follow_up, groups_of
from chalicelib.engine.engine import Engine
from chalicelib.engine.moved import Moved
from chalicelib.engine.narration import tell
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.engine.quotas import rooms
from chalicelib.engine.views import InstanceView
from chalicelib.engine.wakeups import ring
from chalicelib.model.errors import WrongState
from chalicelib.model.instance import Instance
from chalicelib.model.job import Job
from chalicelib.model.principal import Principal
from chalicelib.model.states import TERMINAL, InstanceState

MOST = 1000
BATCH = 200
_BATCHES = 25  # so many are looked at in a request, also where few of them are chosen
COUNTED = 10_000
_COUNT_PAGE = 2000
_COUNT_PAGES = 50
FIRST = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """What a command of many would look at. ``more``: there are more than were counted.

    ``as_of_ms``: when it was counted; given to the command, nothing younger is touched.
    """

    states: Mapping[InstanceState, int]
    more: bool
    first: Sequence[InstanceView]
    as_of_ms: int

    @property
    def total(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Wanted:
    """``after`` and ``as_of_ms``: where an earlier request of the same command ended, and when it began."""

    verb: Verb
    choice: Choice
    reason: str | None = None
    original: bool = False
    ignore_prerequisites: bool = False
    after: str | None = None
    as_of_ms: int | None = None


@dataclass(slots=True)
class Done:
    """``stopping``: of the changed, those asked to stop, which end when their targets confirm.

    Passed over are ``already`` (it was so), ``moved`` (no longer what was chosen) and ``refused`` (its
    job is deleted, or no further instance of its owner may wait). ``after``: where to go on; None at the end.
    """

    as_of_ms: int
    changed: int = 0
    stopping: int = 0
    already: int = 0
    moved: int = 0
    refused: int = 0
    after: str | None = None

    @property
    def looked_at(self) -> int:
        return self.changed + self.already + self.moved + self.refused


def count_many(engine: Engine, principal: Principal, verb: Verb, choice: Choice) -> Counted:
    """How many a command would look at, by state, up to 10,000; and the first ten. Nothing is changed."""

    def work(reader: Reader) -> Counted:
        now = engine.clock.now_ms()
        chosen = choose(reader, principal, verb, choice, now)
        found: list[str] = []
        states: Counter[InstanceState] = Counter()
        more = False
        for number, page in enumerate(pages(reader, chosen, _COUNT_PAGE)):
            fitting = [one for one in page if chosen.has(one)]
            room = COUNTED - states.total()
            states.update(InstanceState(one.state) for one in fitting[:room])
            found += [one.id for one in fitting[: FIRST - len(found)]]
            more = len(fitting) > room or number + 1 == _COUNT_PAGES
            if more:
                break
        return Counted(states, more, _views(reader, found), now)

    return engine.store.read(work)


def change_many(engine: Engine, principal: Principal, wanted: Wanted) -> Done:
    """Do it to at most a thousand; ``Done.after`` says where the next request goes on.

    One that is no longer as it was chosen is passed over. Each batch is one transaction: a process that
    dies has done some of them wholly, and the same request again does the rest.

    Raises:
        InvalidInput, NotFound, Forbidden: see ``choose``; nothing was changed.
    """
    done = Done(engine.clock.now_ms() if wanted.as_of_ms is None else wanted.as_of_ms)
    chosen = engine.store.read(
        lambda reader: choose(reader, principal, wanted.verb, wanted.choice, done.as_of_ms)
    )
    done.after = wanted.after
    for _ in range(_BATCHES):
        here = chosen.after(done.after)
        page = engine.store.read(lambda reader, at=here: next(pages(reader, at, BATCH), ()))  # type: ignore[misc]
        fitting = [one.id for one in page if chosen.has(one)]
        if fitting:
            _batch(engine, _Task(principal, wanted, chosen, fitting), done)
        done.after = page[-1].id if len(page) == BATCH else None
        if done.after is None or done.looked_at > MOST - BATCH:
            break
    return done


@dataclass(frozen=True, slots=True)
class _Task:
    principal: Principal
    wanted: Wanted
    chosen: Chosen
    ids: Sequence[str]

    def effect(self, job: Job, one: Instance, now_ms: int) -> Instance:
        """Raises WrongState when it cannot be done to this one."""
        if self.wanted.verb is Verb.KILL:
            return killed(one, self.principal.name, self.wanted.reason, now_ms)
        if self.wanted.verb is Verb.SKIP:
            return skipped(one, now_ms)
        again = run_again(job, one, now_ms, original=self.wanted.original)
        return replace(again, ready_ms=now_ms) if self.wanted.ignore_prerequisites else again


@dataclass(slots=True)
class _Outcome:
    moves: list[Moved] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)
    already: int = 0
    moved: int = 0
    refused: int = 0


def _batch(engine: Engine, task: _Task, done: Done) -> None:
    outcome = engine.store.transact(lambda tx: _unit(engine, tx, task))
    stopping = [one.after for one in outcome.moves if one.after.stop is not None]
    done.changed += len(outcome.moves)
    done.stopping += len([one for one in stopping if one.state not in TERMINAL])
    done.already += outcome.already
    done.moved += outcome.moved
    done.refused += outcome.refused
    if not outcome.moves:
        return
    now = engine.clock.now_ms()
    engine.stops.notify([one.id for one in stopping])
    for one in outcome.moves:
        name = outcome.names[one.after.job_id]
        engine.listener(of_instance(one.after, name, task.wanted.verb.value, task.principal, now))
    tell(engine, outcome.moves, outcome.names)
    ring(engine, [now], arms=False)


def _unit(engine: Engine, tx: Transaction, task: _Task) -> _Outcome:
    """Lock, look again, change, record, and do what follows: as the command of one does."""
    now = engine.clock.now_ms()
    seen = tx.instances_by_id(task.ids)
    room = {}
    if task.wanted.verb is Verb.RERUN:
        owners = tx.lock_owners({one.owner for one in seen})
        room = rooms(engine, tx, [owner.name for owner in owners])
    tx.lock_groups(groups_of(seen))
    jobs = {job.id: job for job in tx.lock_jobs({one.job_id for one in seen})}
    outcome = _decided(task, jobs, tx.lock_instances(task.ids), now, room)
    outcome.names = {key: job.name for key, job in jobs.items()}
    moves = outcome.moves
    if not moves:
        return outcome
    if task.wanted.verb is Verb.RERUN:
        tx.archive_runs([one.before for one in moves])
    tx.save_instances([one.after for one in moves])
    verb, who, why = task.wanted.verb.value, task.principal, task.wanted.reason
    events = [instance_event(engine, one.after, who, verb, now, why) for one in moves]
    if task.wanted.ignore_prerequisites:
        events = [ignoring(one) for one in events]
    tx.insert_events(events)
    follow_up(engine, tx, jobs, moves, now)
    return outcome


def _decided(
    task: _Task,
    jobs: Mapping[str, Job],
    locked: Sequence[Instance],
    now_ms: int,
    room: dict[str, int],
) -> _Outcome:
    """``room``: by owner, how many more may wait, where the command lets more of them wait."""
    outcome = _Outcome()
    for before in locked:
        if not task.chosen.still_has(before):
            outcome.moved += 1
            continue
        try:
            after = task.effect(jobs[before.job_id], before, now_ms)
        except WrongState:
            outcome.refused += 1
            continue
        if after is before:
            outcome.already += 1
        elif room.get(before.owner, 1) <= 0:
            outcome.refused += 1
        else:
            if before.owner in room:
                room[before.owner] -= 1
            outcome.moves.append(Moved(before, after))
    return outcome


def _views(reader: Reader, ids: Sequence[str]) -> Sequence[InstanceView]:
    found = reader.instances_by_id(ids) if ids else ()
    names = reader.job_names({one.job_id for one in found}) if found else {}
    runs = reader.runs([one.id for one in found if one.run > 1])
    return [InstanceView(one, names[one.job_id], runs.get(one.id, ())) for one in found]
