"""The judge: reads what the store and the targets recorded, and says what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from chalicelib.engine.filters import InstanceFilter
from chalicelib.engine.ports import Store
from chalicelib.model.instance import Instance
from chalicelib.model.job import SkipRange
from chalicelib.model.states import TERMINAL, InstanceKind, InstanceState
from tests.engine.world import RecordingTargets


def instances_of(store: Store, job_id: str) -> list[Instance]:
    wanted = InstanceFilter(job_id=job_id, limit=10_000)
    return list(reversed(store.read(lambda reader: reader.instances(wanted, None))))


def skips_of(store: Store, job_id: str) -> list[SkipRange]:
    return list(store.read(lambda reader: reader.skip_ranges(job_id, 0, 1 << 52)))


def dispositions(store: Store, job_id: str, nominal: Iterable[int]) -> dict[int, list[str]]:
    """For each nominal time, everything that claims to account for it."""
    rows = {one.nominal_ms: one for one in instances_of(store, job_id)}
    ranges = skips_of(store, job_id)
    return {
        at: [rows[at].state.value]
        if at in rows
        else [r.reason for r in ranges if r.from_ms <= at < r.to_ms]
        for at in nominal
    }


def assert_accounted(
    store: Store, job_id: str, nominal: Iterable[int], possible: Iterable[int] = ()
) -> None:
    """Every nominal time has exactly one disposition, and no instance is anything else's.

    ``possible``: further nominal times, which the end of the job may or may not have come before.
    """
    expected = list(nominal)
    found = dispositions(store, job_id, expected)
    assert {at: how for at, how in found.items() if len(how) != 1} == {}
    scheduled = [
        one.nominal_ms for one in instances_of(store, job_id) if one.kind is InstanceKind.SCHEDULED
    ]
    assert set(scheduled) <= {*expected, *possible}, "an instance of no nominal time"
    ranges = skips_of(store, job_id)
    assert all(a.to_ms <= b.from_ms for a, b in pairwise(ranges))


def assert_settled(store: Store, job_id: str) -> None:
    """Nothing is stuck: all instances have ended and hold nothing."""
    for one in instances_of(store, job_id):
        assert one.state in TERMINAL, one
        assert not one.active
        assert one.wake_ms is None


def assert_one_identity(targets: RecordingTargets, store: Store, job_id: str) -> None:
    """Targets saw each instance under one token only, with the same bytes at every repeat, and what
    succeeded was executed."""
    tokens: dict[str, set[str]] = {}
    requests: dict[str, set[str]] = {}
    for verb, request in targets.calls:
        if verb in ("launch", "run"):
            tokens.setdefault(request.instance_id, set()).add(request.token)
            requests.setdefault(request.token, set()).add(repr((request.spec, request.bindings)))
    assert {key: seen for key, seen in tokens.items() if len(seen) != 1} == {}
    assert {key: seen for key, seen in requests.items() if len(seen) != 1} == {}
    executed = Counter(request.instance_id for request in targets.executions.values())
    for one in instances_of(store, job_id):
        if one.state is InstanceState.SUCCEEDED:
            assert executed[one.id] == 1
