"""Check the prerequisites of instances that wait: look, and then write down what was found.

Waiting for data occupies nothing: an instance is claimed only once all that it waits for is there. What is
there is asked before the transaction, and what was asked of an instance that moved meanwhile is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from chalicelib.engine.conditions import Condition, Found, shortened, wait_key
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import PrerequisitesChecked
from chalicelib.engine.handout import LANES, PATIENCE_MS
from chalicelib.engine.pausing import put_back
from chalicelib.engine.ports import HandedOut, Lane, Reader, Transaction
from chalicelib.engine.prerequisites import conditions_of
from chalicelib.engine.wait_ports import Upstream, Wait
from chalicelib.engine.wakeups import ring_each
from chalicelib.model.credential import without_credentials
from chalicelib.model.instance import Instance
from chalicelib.model.instants import parse_duration
from chalicelib.model.job import read_definition
from chalicelib.model.states import InstanceState, Reason

FIRST_MS = 5_000
LONGEST_MS = 300_000
LATE_MS = 60_000  # what did not answer in its time is not asked again sooner
MISSED_MS = 1_000  # what nobody had the time to look at comes again at once
SPREAD = 0.1
_LISTED = 5


@dataclass(frozen=True, slots=True)
class _Look:
    """An instance, what it waits for, the lane of its target, and how long it may wait."""

    instance: Instance
    conditions: Sequence[Condition]
    lane: Lane
    wait_ms: int


def check_waiting(engine: Engine, handed: Sequence[HandedOut]) -> None:
    """Look at what these instances wait for, equal things once; those that have it all go to their target.

    What answers soon is settled soon: a check that hangs delays only those that wait for it.
    """
    if put_back(engine, handed):
        return
    looks, known = engine.store.read(lambda reader: _looks(engine, reader, handed))
    outside = [one for look in looks for one in look.conditions if one not in known]
    asked = list(dict.fromkeys(outside))
    for portion in engine.conditions.check(asked) if asked else ({},):
        known |= portion
        answered = [look for look in looks if known.keys() >= set(look.conditions)]
        looks = [look for look in looks if not known.keys() >= set(look.conditions)]
        _settle(engine, answered, known)
    _settle(engine, looks, known)


def check_due_ms(instance: Instance, checks: int, now_ms: int) -> int:
    """When to look again after so many checks: from seconds to five minutes, spread by the instance's id.

    On whole seconds, so that many instances share few wake-ups.
    """
    grown = min(FIRST_MS << min(checks - 1, 10), LONGEST_MS)
    digest = blake2b(f"{instance.id}/{checks}".encode(), digest_size=8).digest()
    spread = int.from_bytes(digest, "big") / 2**64 * 2 - 1
    seconds = round(min(grown * (1 + SPREAD * spread), LONGEST_MS) / 1000)
    return now_ms + seconds * 1000


def _looks(
    engine: Engine, reader: Reader, handed: Sequence[HandedOut]
) -> tuple[Sequence[_Look], dict[Condition, Found]]:
    """What did not move since it was handed out, and what can be said of it from the store."""
    versions = {one.id: one.version for one in handed}
    present = [
        one
        for one in reader.instances_by_id(sorted(versions))
        if one.version == versions[one.id]
        and one.state is InstanceState.WAITING
        and one.ready_ms is None
    ]
    revisions = {(one.job_id, one.revision) for one in present}
    texts = reader.definitions(revisions)
    excluding = [key for key in texts if read_definition(texts[key]).schedule.exclude]
    calendars = reader.revision_calendars(excluding) if excluding else {}
    names = reader.job_names({one.job_id for one in present})
    looks: list[_Look] = []
    known: dict[Condition, Found] = {}
    for one in present:
        revision = (one.job_id, one.revision)
        definition = read_definition(texts[revision])
        lane = LANES[engine.targets.style(str(definition.target["kind"]))]
        try:
            wanted, said = conditions_of(
                one, names[one.job_id], definition, calendars.get(revision)
            )
        except Exception as error:  # noqa: BLE001  whatever is wrong with one must not delay another
            wanted, said = _hopeless(one, error)
        wait_ms = parse_duration(definition.policies.timeouts.wait)
        looks.append(_Look(one, wanted, lane, wait_ms))
        known.update(said)
    jobs = {one for look in looks for one in look.conditions if one.kind == "job"} - known.keys()
    if jobs:
        found = reader.upstreams([one.upstream for one in jobs])
        known.update({one: _of_job(one, found.get(one.upstream)) for one in jobs})
    return looks, known


def _hopeless(
    instance: Instance, error: Exception
) -> tuple[Sequence[Condition], Mapping[Condition, Found]]:
    condition = Condition(
        kind="data", what=instance.id, owner=instance.owner, words="its prerequisites"
    )
    return [condition], {condition: Found(met=False, what=f"they cannot be told: {error}")}


def _of_job(condition: Condition, upstream: Upstream | None) -> Found:
    if upstream is None:
        return Found(met=False, what=f"there is no job {condition.what}")
    if upstream.state is None:
        return Found(met=False, what=_absent(condition, upstream))
    met = upstream.state == InstanceState.SUCCEEDED
    why = f" ({upstream.reason})" if upstream.reason else ""
    return Found(met=met, what=f"it is {upstream.state}{why}")


def _absent(condition: Condition, upstream: Upstream) -> str:
    if upstream.skipped == Reason.PURGED:
        return (
            f"the record of {condition.what} for that time was purged, and nobody knows how it ended; "
            f"a backfill of {condition.what} with --reprocess all runs it again, a rerun of this one with "
            "--ignore-prerequisites waits for none"
        )
    if upstream.skipped is not None:
        why = upstream.skipped.lower().replace("_", " ")
        return (
            f"{condition.what} did not run then: that time was skipped ({why}); a backfill runs it"
        )
    if (condition.nominal_ms or 0) % 1000:  # no schedule's: of a trigger without a time
        return f"{condition.what} has no instance of that time, which is a trigger's own"
    return f"{condition.what} has no instance of that time"


@dataclass(frozen=True, slots=True)
class _Settled:
    ready: Sequence[tuple[Lane, HandedOut]]
    wakes: Sequence[int | None]
    checked: int


def _settle(engine: Engine, looks: Sequence[_Look], known: Mapping[Condition, Found]) -> None:
    """One transaction for all; those that are ready are sent to their targets after its commit."""
    if not looks:
        return
    settled = engine.store.transact(lambda tx: _write(engine, tx, looks, known))
    for lane in sorted({lane for lane, _ in settled.ready}):
        engine.queue.send(lane, [one for its, one in settled.ready if its is lane])
    late = sum(any(known[one].late for one in look.conditions if one in known) for look in looks)
    now = engine.clock.now_ms()
    engine.listener(
        PrerequisitesChecked(
            at_ms=now, instances=settled.checked, ready=len(settled.ready), late=late
        )
    )
    ring_each(engine, settled.wakes)


def _write(
    engine: Engine, tx: Transaction, looks: Sequence[_Look], known: Mapping[Condition, Found]
) -> _Settled:
    now = engine.clock.now_ms()
    current = {one.id: one for one in tx.lock_instances(look.instance.id for look in looks)}
    mine = list(_still(looks, current, known))
    after = {look.instance.id: _after(look, known, now) for look in mine}
    tx.save_instances(list(after.values()))
    ready = [look for look in mine if after[look.instance.id].ready_ms is not None]
    still = [look for look in mine if after[look.instance.id].ready_ms is None]
    tx.forget_waits(look.instance.id for look in ready if look.instance.checks)
    tx.save_waits(list(_waits(still)))
    sent = [
        (look.lane, HandedOut(look.instance.id, after[look.instance.id].version)) for look in ready
    ]
    wakes = [one.wake_ms for one in after.values() if one.ready_ms is None]
    return _Settled(sent, wakes, len(mine))


def _still(
    looks: Iterable[_Look], current: Mapping[str, Instance], known: Mapping[Condition, Found]
) -> Iterator[_Look]:
    """Those that did not move since, as they are now.

    Who was only woken meanwhile is looked at again, unless all was there: else a producer who announces file
    after file would keep the instance from ever going on.
    """
    for look in looks:
        now = current.get(look.instance.id)
        if now == look.instance:
            yield look
        elif now is not None and now.wake_ms is not None:
            woken = replace(look.instance, wake_ms=now.wake_ms, version=now.version)
            if now == woken and all(one in known and known[one].met for one in look.conditions):
                yield replace(look, instance=now)


def _waits(looks: Iterable[_Look]) -> Iterable[Wait]:
    """Keys are the same at every check of a run: they are written with the first."""
    for look in looks:
        if look.instance.checks == 0:
            keys = {wait_key(condition) for condition in look.conditions}
            yield from (Wait(key, look.instance.id) for key in keys if key is not None)


def _after(look: _Look, known: Mapping[Condition, Found], now_ms: int) -> Instance:
    """The instance after its check: ready, or waiting for the next."""
    before = _that_counts(look, now_ms)
    found = [(one, known.get(one)) for one in look.conditions]
    if any(one is None for _, one in found):
        return replace(before, wake_ms=now_ms + MISSED_MS, version=before.version + 1)
    said = [(condition, one) for condition, one in found if one is not None]
    checked = replace(
        before,
        checks=before.checks + 1,
        checked_ms=now_ms,
        findings_json=json.dumps([_finding(*one) for one in said], ensure_ascii=False),
        version=before.version + 1,
    )
    missing = [condition for condition, one in said if not one.met]
    if not missing:
        return replace(
            checked, ready_ms=now_ms, reason=None, waiting_on=None, wake_ms=now_ms + PATIENCE_MS
        )
    wake_ms = check_due_ms(checked, checked.checks, now_ms)
    if any(one.late for _, one in said):
        wake_ms = max(wake_ms, now_ms + LATE_MS)
    if before.deadline_ms is not None:
        wake_ms = min(wake_ms, max(before.deadline_ms, now_ms))
    return replace(
        checked, reason=Reason.PREREQUISITES, waiting_on=_listed(missing), wake_ms=wake_ms
    )


def _that_counts(look: _Look, now_ms: int) -> Instance:
    """Who was made ahead of its turn has no end of its wait yet; waiting for data, it has begun to wait."""
    if look.instance.deadline_ms is not None:
        return look.instance
    return replace(look.instance, deadline_ms=now_ms + look.wait_ms)


def _finding(condition: Condition, found: Found) -> Mapping[str, object]:
    finding = {
        "kind": condition.kind,
        "what": condition.words,
        "met": found.met,
        "found": shortened(without_credentials(found.what)),
    }
    return {**finding, "late": True} if found.late else finding


def _listed(missing: Sequence[Condition]) -> str:
    words = [condition.words for condition in missing]
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(words[:_LISTED]) + more
