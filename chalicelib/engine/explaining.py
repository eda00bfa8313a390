"""Why an instance is where it is, in words: for every state and every reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from chalicelib.engine.access import find_instance
from chalicelib.engine.callbacks import handed_over
from chalicelib.engine.consequences import limit_of, scope_of
from chalicelib.engine.deciding import overlap_of
from chalicelib.engine.endings import why_ended
from chalicelib.engine.engine import Engine
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.ports import Reader
from chalicelib.engine.telling import ago, listed, moment, span, times
from chalicelib.engine.views import InstanceView
from chalicelib.model.definition import Definition, Policies
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.instants import format_instant, zone
from chalicelib.model.job import Job, read_definition
from chalicelib.model.principal import Principal
from chalicelib.model.states import TERMINAL, GroupPlace, InstanceState, Reason

SHOWN = 5  # of those that stand in its way


@dataclass(frozen=True, slots=True)
class Why:
    """``because``: one sentence. ``holders``: instances that hold the slots it waits for, at most five, with
    the names of their jobs. ``gives_up_ms``: when its wait, its run or its stop is over."""

    view: InstanceView
    because: str
    findings: Sequence[Mapping[str, object]]
    holders: Sequence[tuple[Instance, str]]
    gives_up_ms: int | None


def why(engine: Engine, principal: Principal, instance_id: str) -> Why:
    """Raises NotFound when there is no such instance, for this principal."""
    return engine.store.read(
        lambda reader: explained(
            reader, find_instance(reader, principal, instance_id), engine.clock.now_ms()
        )
    )


def explained(reader: Reader, instance: Instance, now_ms: int) -> Why:
    """What costs a few questions, whatever there is."""
    scene = _scene(reader, instance, now_ms)
    view = InstanceView(instance, scene.job.name, (), reader.pause())
    findings = json.loads(instance.findings_json or "[]")
    because = _because(scene)
    if view.pause is not None and instance.state is InstanceState.WAITING:
        because = f"{view.pause.told}; {because}"
    return Why(view, because, findings, scene.holders, instance.deadline_ms)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the words are made from. ``definition``: None when this version cannot read it.

    ``last``: its latest event. ``size``: of its group; None when there is no such group.
    """

    instance: Instance
    job: Job
    definition: Definition | None
    now_ms: int
    last: Event | None
    holders: Sequence[tuple[Instance, str]] = ()
    size: int | None = None

    @property
    def zone(self) -> ZoneInfo:
        return zone(self.definition.schedule.timezone if self.definition else "UTC")

    @property
    def policies(self) -> Policies:
        return self.definition.policies if self.definition else Policies()

    def at(self, at_ms: int) -> str:
        return moment(at_ms, self.now_ms, self.zone)


def _scene(reader: Reader, instance: Instance, now_ms: int) -> Scene:
    [job] = reader.jobs_by_id([instance.job_id])
    key = (instance.job_id, instance.revision)
    try:
        definition = read_definition(reader.definitions([key])[key])
    except ValueError:
        definition = None
    last = next(iter(reader.events(EventFilter(instance_id=instance.id, limit=1), None)), None)
    scene = Scene(instance, job, definition, now_ms, last)
    if instance.state is not InstanceState.WAITING:
        return scene
    if instance.reason == Reason.MAX_ACTIVE:
        ids = reader.slot_holders(scope_of(instance), SHOWN)
        return replace(scene, holders=_named(reader, reader.instances_by_id(ids)))
    if instance.reason == Reason.GROUP_FULL and instance.group is not None:
        groups = reader.groups_named(instance.owner, [instance.group])
        held = reader.group_members(instance.owner, instance.group, GroupPlace.HELD, SHOWN)
        size = groups[0].size if groups else None
        return replace(scene, holders=_named(reader, held), size=size)
    return scene


def _named(reader: Reader, holders: Sequence[Instance]) -> Sequence[tuple[Instance, str]]:
    names = reader.job_names({one.job_id for one in holders}) if holders else {}
    return [(one, names[one.job_id]) for one in holders]


def _because(scene: Scene) -> str:
    state = scene.instance.state
    if state is InstanceState.WAITING:
        return _waits(scene)
    if state in TERMINAL:
        return why_ended(scene.instance, scene.last, scene.at, retried=_retried(scene))
    return "; ".join(_in_flight(scene))


def _retried(scene: Scene) -> bool:
    return scene.instance.attempt > 1 or scene.policies.retries.max_attempts > 1


def _waits(scene: Scene) -> str:
    one = scene.instance
    tell = _WAITS.get(one.reason or "")
    if tell is not None:
        return tell(scene)
    if one.wake_ms is None:
        return _suspended(scene)
    if one.waiting_on:
        return f"waits: {one.waiting_on}; it is looked at again {_due(scene)}"
    if one.ready_ms is None and scene.definition and scene.definition.prerequisites:
        return f"its prerequisites are about to be checked{_gives_up(scene)}"
    if one.wake_ms <= scene.now_ms:
        return "is due, and is about to be handed out"
    return f"is about to be launched; if nobody takes it, it is handed out again {_due(scene)}"


def _data(scene: Scene) -> str:
    """What is not there, as its latest check found it."""
    one = scene.instance
    found = [each for each in json.loads(one.findings_json or "[]") if not each["met"]]
    words = [f"{each['what']} ({each['found']})" for each in found[:SHOWN]]
    what = listed(words, max(0, len(found) - SHOWN)) if words else str(one.waiting_on)
    checked = f", checked {times(one.checks)}"
    if one.checked_ms is not None:
        checked += f", last {ago(one.checked_ms, scene.now_ms)}"
    return f"waits for {what}{checked}; it is checked again {_due(scene)}{_gives_up(scene)}"


def _turn(scene: Scene) -> str:
    one, job = scene.instance, scene.job
    most = limit_of(one, job)
    whose = f"the job {job.name}" if one.backfill is None else f"the backfill {one.backfill}"
    overlap = overlap_of(one, job) if one.backfill is None else (one.overlap or "queue")
    policy = f"overlap: {overlap}" + (f", max_active: {most}" if overlap == "allow" else "")
    many = "one instance" if most == 1 else f"{most} instances"
    limit = f"{whose} runs {many} at once ({policy}){_held_by(scene, most)}"
    return f"waits for its turn: {limit}{_gives_up(scene)}"


def _group(scene: Scene) -> str:
    one = scene.instance
    if scene.size is None:
        why = one.waiting_on or "there is no group of that name"
    else:
        why = f"its size is {scene.size}{_held_by(scene, scene.size)}"
    return f"waits for a slot of the group {one.group}: {why}{_gives_up(scene)}"


def _refused(scene: Scene) -> str:
    said = scene.instance.waiting_on
    return (
        f"its target refused to take it: {said}; it is tried again {_due(scene)}{_gives_up(scene)}"
    )


def _held_by(scene: Scene, most: int) -> str:
    if not scene.holders:
        return ", and somebody else is before it" if most else ", which lets nothing begin"
    words = [
        f"{name} of {format_instant(one.nominal_ms)} ({one.state.lower()}, {one.id[:16]})"
        for one, name in scene.holders
    ]
    more = max(0, most - len(words)) if len(words) == SHOWN else 0
    return f"; held by {listed(words, more)}"


def _retry(scene: Scene) -> str:
    one, retries = scene.instance, scene.policies.retries
    if one.launch_attempt > 1:
        which = f"launch {one.launch_attempt} of {retries.launch.max_attempts}"
    else:
        which = f"attempt {one.attempt} of {retries.max_attempts}"
    detail = json.loads(scene.last.detail_json) if scene.last is not None else {}
    before = f"; the one before ended with: {detail['error']}" if detail.get("error") else ""
    return f"waits for its retry, {which}, {_due(scene)}{before}"


def _suspended(scene: Scene) -> str:
    suspension = scene.job.suspension
    if suspension is None:
        return "is held; it goes on when its job is resumed"
    because = f" ({suspension.reason})" if suspension.reason else ""
    since = f"the job {scene.job.name} is suspended by {suspension.by} since {scene.at(suspension.since_ms)}"
    until = suspension.until_ms
    end = f"until {scene.at(until)}" if until is not None else "until somebody resumes it"
    return f"{since}{because}, {end}; meanwhile its wait does not count"


_WAITS: Mapping[str, Callable[[Scene], str]] = {
    Reason.JOB_SUSPENDED: _suspended,
    Reason.PREREQUISITES: _data,
    Reason.MAX_ACTIVE: _turn,
    Reason.GROUP_FULL: _group,
    Reason.RETRY: _retry,
    Reason.TARGET_REFUSED: _refused,
}


def _in_flight(scene: Scene) -> Iterator[str]:
    one, now = scene.instance, scene.now_ms
    if one.state is InstanceState.LAUNCHING:
        yield f"is being launched, claim {max(one.claim.count, 1)} of this run"
    elif one.state is InstanceState.LAUNCHED:
        since = one.launched_ms or one.run_created_ms
        yield f"its target accepted it {ago(since, now)}, and has not said more"
    else:
        since = one.started_ms or one.launched_ms or one.run_created_ms
        yield f"runs since {scene.at(since)} ({span(now - since)})"
    if one.heard_ms is not None:
        said = f": {one.said}" if one.said else ""
        yield f"its target reported {ago(one.heard_ms, now)}{said}"
    if one.stop is not None:
        because = f" ({one.stop.reason})" if one.stop.reason else ""
        yield (
            f"was asked to stop by {one.stop.by}{because}; if its target does not confirm it, the run"
            f" ends so at {scene.at(one.stop.deadline_ms)}"
        )
    elif one.deadline_ms is not None:
        yield f"its time is over at {scene.at(one.deadline_ms)}"
    every = scene.policies.timeouts.heartbeat
    if scene.definition is None or one.stop is not None or not handed_over(one):
        return
    if scene.definition.calls_back and not scene.definition.only_calls_back and every:
        yield f"its target reports every {every}, or is stopped"
    if scene.definition.only_calls_back:
        yield "it ends by what its target reports" + (
            f", which it does every {every}" if every else ""
        )


def _due(scene: Scene) -> str:
    wake_ms = scene.instance.wake_ms
    if wake_ms is None or wake_ms <= scene.now_ms:
        return "now"
    return f"in {span(wake_ms - scene.now_ms)}"


def _gives_up(scene: Scene) -> str:
    ends_ms = scene.instance.deadline_ms
    return f"; gives up at {scene.at(ends_ms)}" if ends_ms is not None else ""
