"""Pages of instances and of history: newest first, by key, and nobody sees what is not theirs."""

from __future__ import annotations

import random
from typing import Any

import pytest

from chalicelib.engine.filters import EventFilter, InstanceFilter
from chalicelib.model.errors import InvalidInput
from chalicelib.model.event import Event
from chalicelib.model.instance import Instance
from chalicelib.model.job import SkipRange
from chalicelib.model.states import InstanceKind, InstanceState
from chalicelib.store import SqlStore
from chalicelib.store.failures import ConstraintViolated
from tests.store.builders import JOB, MINUTE, NOON, an_event, an_id, an_instance

S = InstanceState
OWNERS = ("blue", "green", "red")


def instances() -> list[Instance]:
    """Three jobs of three owners, in all states and kinds."""
    states, kinds = list(InstanceState), list(InstanceKind)
    return [
        an_instance(n, an_id(k + 1), owner=owner, state=states[n % 9], kind=kinds[n % 2])
        for k, owner in enumerate(OWNERS)
        for n in range(20)
    ]


def fits(one: Instance, wanted: InstanceFilter, owners: list[str] | None) -> bool:
    """What the filter means, said a second time."""
    return (
        (owners is None or one.owner in owners)
        and wanted.owner in (None, one.owner)
        and wanted.job_id in (None, one.job_id)
        and (not wanted.state or one.state in wanted.state)
        and wanted.kind in (None, one.kind)
        and (wanted.from_ms is None or one.nominal_ms >= wanted.from_ms)
        and (wanted.to_ms is None or one.nominal_ms < wanted.to_ms)
        and (wanted.after is None or one.id < wanted.after)
    )


def choices(stored: list[Instance]) -> list[tuple[InstanceFilter, list[str] | None]]:
    chance = random.Random(20260101)
    options: dict[str, list[Any]] = {
        "owner": [None, None, "red", "nobody"],
        "job_id": [None, JOB, an_id(2), an_id(9)],
        "state": [(), (), ("WAITING",), ("FAILED", "KILLED", "RUNNING")],
        "kind": [None, None, "MANUAL"],
        "from_ms": [None, NOON + 3 * MINUTE, NOON + 90 * MINUTE],
        "to_ms": [None, NOON + 11 * MINUTE, NOON, NOON * 1000],
        "after": [None, None, chance.choice(stored).id, chance.choice(stored).id],
        "limit": [1, 7, 100],
    }
    seen: list[list[str] | None] = [None, [], ["red"], ["red", "blue"], ["nobody", "green"]]
    return [
        (InstanceFilter(**{k: chance.choice(v) for k, v in options.items()}), chance.choice(seen))
        for _ in range(250)
    ]


def test_every_filter_of_instances_means_what_it_says(store: SqlStore) -> None:
    stored = instances()
    store.transact(lambda tx: tx.insert_instances(stored))
    newest_first = sorted(stored, key=lambda one: one.id, reverse=True)
    for wanted, owners in choices(stored):
        found = store.read(lambda reader, w=wanted, o=owners: reader.instances(w, o))  # type: ignore[misc]
        right = [one for one in newest_first if fits(one, wanted, owners)][: wanted.limit]
        assert found == right, (wanted, owners)


@pytest.mark.parametrize("job_id", [None, JOB])
def test_pages_lead_through_all_and_end(store: SqlStore, job_id: str | None) -> None:
    stored = [one for one in instances() if job_id in (None, one.job_id)]
    store.transact(lambda tx: tx.insert_instances(instances()))
    seen: list[Instance] = []
    after: str | None = None
    while True:
        wanted = InstanceFilter(job_id=job_id, after=after, limit=7)
        page = store.read(lambda reader, w=wanted: reader.instances(w, list(OWNERS)))  # type: ignore[misc]
        if not page:
            break
        seen += page
        after = page[-1].id
    assert seen == sorted(stored, key=lambda one: one.id, reverse=True)


def test_a_cursor_that_is_no_id_is_refused(store: SqlStore) -> None:
    for job_id in (None, JOB):
        wanted = InstanceFilter(job_id=job_id, after="zz")
        with pytest.raises(InvalidInput, match="after: is no id"):
            store.read(lambda reader, w=wanted: reader.instances(w, None))  # type: ignore[misc]


def test_who_sees_which_instance(store: SqlStore) -> None:
    one = an_instance(0)
    store.transact(lambda tx: tx.insert_instances([one]))
    for owners, seen in ((None, one), (["default", "x"], one), (["x"], None), ([], None)):
        found = store.read(lambda reader, o=owners: reader.instance(one.id, o))  # type: ignore[misc]
        assert found == seen


def test_events_are_read_as_they_were_written(store: SqlStore) -> None:
    events = [
        an_event(1, reason="Ärger 🍕 'x' %s :y", detail_json='{"a": "\\"\\\\"}'),
        an_event(2, instance_id=an_instance(0).id, verb="KILL"),
        an_event(3, owner="red", job_id=an_id(2)),
        an_event(4, instance_id=an_instance(0).id, at_ms=NOON - 5),
    ]
    store.transact(lambda tx: tx.insert_events(events))
    store.transact(lambda tx: tx.insert_events([]))

    def numbers(owners: list[str] | None = None, **wanted: Any) -> list[int]:
        found = store.read(lambda reader: reader.events(EventFilter(**wanted), owners))
        return [int(event.id, 16) for event in found]

    def read(number: int) -> Event:
        wanted = EventFilter(after=an_id(number + 1), limit=1)
        return store.read(lambda reader: reader.events(wanted, None))[0]

    assert [read(number) for number in (1, 2, 3, 4)] == events
    assert numbers() == [4, 3, 2, 1]
    assert numbers(limit=2) == [4, 3]
    assert numbers(after=an_id(3)) == [2, 1]
    assert numbers(["red"]) == [3]
    assert numbers(["red", "default"], limit=3) == [4, 3, 2]
    assert numbers([]) == []
    assert numbers(owner="default") == [4, 2, 1]
    assert numbers(["red"], owner="default") == []
    assert numbers(job_id=JOB) == [4, 2, 1]
    assert numbers(["red"], job_id=JOB) == []
    assert numbers(["default", "red"], job_id=JOB, verb="SUSPEND") == [4, 1]
    assert numbers(job_id=JOB, actor="nobody") == []
    assert numbers(["default", "red"], job_id=JOB, verb="SUSPEND", actor="ada") == [4, 1]
    assert numbers(instance_id=an_instance(0).id) == [4, 2]
    assert numbers(["red"], instance_id=an_instance(0).id) == []
    assert numbers(job_id=JOB, instance_id=an_instance(0).id, verb="KILL") == [2]
    assert numbers(from_ms=NOON + 1, to_ms=NOON + 3) == [2, 1]
    with pytest.raises(InvalidInput, match="after"):
        numbers(after="page2")


def test_skip_ranges_that_touch_a_span(store: SqlStore) -> None:
    ranges = [
        SkipRange(JOB, 10, 20, "SUSPENDED", 1),
        SkipRange(JOB, 20, 25, "EXPIRED", 2),
        SkipRange(JOB, 40, 60, "CATCH_UP_LIMIT", 2),
    ]
    other = SkipRange(an_id(2), 15, 50, "SUSPENDED", 1)
    store.transact(lambda tx: tx.insert_skip_ranges([*ranges, other]))
    store.transact(lambda tx: tx.insert_skip_ranges([]))

    def touching(from_ms: int, to_ms: int) -> list[int]:
        found = store.read(lambda reader: reader.skip_ranges(JOB, from_ms, to_ms))
        return [ranges.index(span) for span in found]

    assert touching(0, 100) == [0, 1, 2]
    assert touching(0, 10) == []
    assert touching(0, 11) == [0]
    assert touching(19, 21) == [0, 1]
    assert touching(20, 21) == [1]
    assert touching(25, 40) == []
    assert touching(30, 41) == [2]
    assert touching(45, 46) == [2]
    assert touching(60, 99) == []


def test_a_skip_range_is_written_once_and_is_no_empty_span(store: SqlStore) -> None:
    span = SkipRange(JOB, 10, 20, "SUSPENDED", 1)
    store.transact(lambda tx: tx.insert_skip_ranges([span]))
    for wrong in (span, SkipRange(JOB, 30, 30, "SUSPENDED", 1)):
        with pytest.raises(ConstraintViolated):
            store.transact(lambda tx, s=wrong: tx.insert_skip_ranges([s]))  # type: ignore[misc]
    assert store.read(lambda reader: reader.skip_ranges(JOB, 0, 99)) == [span]
