"""The keys of callbacks: rotated without anybody noticing, revoked at once, the same for all processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib.engine import commands, queries
from chalicelib.engine.callback_keys import LONGEST_MS, MOST, NOTE, stored_keys
from chalicelib.engine.callbacks import Callbacks
from chalicelib.engine.commands import Report, rotate_callback_key
from chalicelib.engine.filters import EventFilter
from chalicelib.engine.handout import hand_out
from chalicelib.engine.launch import launch_started
from chalicelib.engine.outcomes import Unknown
from chalicelib.model.errors import Conflict, Forbidden, Unauthenticated
from chalicelib.model.principal import Principal
from chalicelib.model.states import InstanceState
from chalicelib.store import SqlStore
from tests.engine.test_callbacks import begin, calling_back, launched, now, say
from tests.engine.world import ADMIN, MINUTE, NOON, World

S = InstanceState
KINDS = ("sqlite-file", "mariadb", "mysql")


def with_kept_keys(world: World) -> World:
    engine = world.engine
    keys = stored_keys(engine.store, engine.ids, world.clock)
    world.engine = replace(engine, callbacks=Callbacks("http://noonday.test", keys))
    return world


@pytest.fixture
def keeping(world: World) -> World:
    return with_kept_keys(world)


def uses(world: World) -> list[tuple[str, bool]]:
    keys = queries.callback_keys(world.engine, ADMIN)
    return [(key.id, key.retired_ms is None) for key in keys]


def test_the_first_run_that_calls_back_makes_a_key(keeping: World) -> None:
    assert uses(keeping) == []
    begin(keeping)
    [(made, signs)] = uses(keeping)
    assert signs
    credential = launched(keeping).callback
    assert credential is not None
    assert f".{made}." in credential.credential


def test_what_was_signed_before_a_rotation_counts_after_it_and_after_the_next(
    keeping: World,
) -> None:
    one = begin(keeping)
    keeping.advance(MINUTE)
    for _ in range(3):
        rotate_callback_key(keeping.engine, ADMIN)
        keeping.advance(MINUTE)
        say(keeping, Report.HEARTBEAT)
    assert [signs for _, signs in uses(keeping)] == [True, False, False, False]
    say(keeping, Report.SUCCEEDED)
    assert now(keeping, one).state is S.SUCCEEDED


def test_runs_that_begin_after_it_are_signed_by_the_new_one(keeping: World) -> None:
    begin(keeping, retries={"max_attempts": 2, "delay": "PT1M", "jitter": 0})
    first = launched(keeping)
    keeping.advance(1000)
    rotate_callback_key(keeping.engine, ADMIN)
    say(keeping, Report.FAILED, first)
    keeping.advance(2 * MINUTE)
    second = launched(keeping)
    (new, _), (old, _) = uses(keeping)
    assert first.callback is not None
    assert second.callback is not None
    assert f".{old}." in first.callback.credential
    assert f".{new}." in second.callback.credential
    say(keeping, Report.SUCCEEDED, second)


def test_a_launch_that_is_repeated_after_a_rotation_carries_the_same_bytes(keeping: World) -> None:
    keeping.targets.launch_outcomes = [Unknown("no answer")]
    begin(keeping)
    first = launched(keeping)
    keeping.advance(1000)
    rotate_callback_key(keeping.engine, ADMIN)
    keeping.advance(2 * MINUTE)
    second = launched(keeping)
    assert second is not first
    assert (second.callback, second.spec) == (first.callback, first.spec)


def test_a_key_that_leaked_is_revoked_at_once_for_every_process(keeping: World) -> None:
    one = begin(keeping, timeouts={"run": "PT1H"})
    elsewhere = stored_keys(keeping.engine.store, keeping.engine.ids, keeping.clock)
    elsewhere()  # whatever it might keep
    keeping.advance(1000)
    [after] = rotate_callback_key(keeping.engine, ADMIN, revoke=True, reason="it leaked")
    assert [key.id for key in elsewhere()] == [after.id]
    for report in Report:
        with pytest.raises(Unauthenticated):
            say(keeping, report)
    keeping.advance(61 * MINUTE)
    assert now(keeping, one).state is S.TIMED_OUT


def test_a_launch_that_is_repeated_after_a_revocation_has_a_token_that_counts(
    keeping: World,
) -> None:
    keeping.targets.launch_outcomes = [Unknown("no answer")]
    one = begin(keeping)
    keeping.advance(1000)
    rotate_callback_key(keeping.engine, ADMIN, revoke=True)
    keeping.advance(2 * MINUTE)
    say(keeping, Report.SUCCEEDED)
    assert now(keeping, one).state is S.SUCCEEDED


def test_a_key_is_forgotten_when_no_run_of_it_can_be_left(keeping: World) -> None:
    rotate_callback_key(keeping.engine, ADMIN)
    rotate_callback_key(keeping.engine, ADMIN)
    keeping.clock.now += LONGEST_MS - 1
    assert len(rotate_callback_key(keeping.engine, ADMIN)) == 3
    keeping.clock.now += 1
    assert len(rotate_callback_key(keeping.engine, ADMIN)) == 3


def test_who_rotates_without_end_is_told_rather_than_runs_are_refused(keeping: World) -> None:
    for _ in range(MOST):
        rotate_callback_key(keeping.engine, ADMIN)
    with pytest.raises(Conflict, match="50 keys still vouch for runs, the oldest until 2027"):
        rotate_callback_key(keeping.engine, ADMIN)
    assert len(rotate_callback_key(keeping.engine, ADMIN, revoke=True)) == 1


def test_only_an_admin_may_and_it_is_on_record_without_the_key(keeping: World) -> None:
    for do in (rotate_callback_key, queries.callback_keys):
        with pytest.raises(Forbidden):
            do(keeping.engine, Principal("eve"))
    rotate_callback_key(keeping.engine, ADMIN)
    [old] = queries.callback_keys(keeping.engine, ADMIN)
    rotate_callback_key(keeping.engine, ADMIN, revoke=True, reason="it leaked")
    [new] = queries.callback_keys(keeping.engine, ADMIN)
    assert old.text not in repr(old)
    events = keeping.engine.store.read(lambda reader: reader.events(EventFilter(), None))
    assert [(one.verb, one.reason) for one in events] == [
        ("REVOKE_CALLBACK_KEYS", "it leaked"),
        ("ROTATE_CALLBACK_KEY", None),
    ]
    assert json.loads(events[0].detail_json) == {"signs": new.id, "dropped": [old.id]}
    assert new.text not in str(events)


def test_a_run_may_not_outlast_the_key_that_signs_for_it() -> None:
    calling_back(timeouts={"run": "P365D"})
    with pytest.raises(ValueError, match="lasts for 365 days at most"):
        calling_back(timeouts={"run": "P366D"})


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_asks_first_all_have_the_same_keys(
    kind: str, open_empty: Callable[[str], SqlStore]
) -> None:
    """Threads that ask, rotate and revoke at once: nobody's key is lost, and one signs."""
    store = open_empty(kind)
    worlds = [with_kept_keys(World(store, ids_from=1 + n * 10**9)) for n in range(4)]
    first = in_threads([world.engine.callbacks.keys for world in worlds])
    assert len({tuple(key.id for key in keys) for keys in first}) == 1
    in_threads([partial(rotate_callback_key, world.engine, ADMIN) for world in worlds])
    keys = queries.callback_keys(worlds[0].engine, ADMIN)
    assert len({key.id for key in keys}) == 5
    assert [key.retired_ms is None for key in keys] == [True, False, False, False, False]
    assert keys[-1].id == first[0][0].id


def in_threads(actions: list[Callable[[], Any]]) -> list[Any]:
    results: list[Any] = [None] * len(actions)
    together = threading.Barrier(len(actions))

    def run(place: int) -> None:
        together.wait()
        results[place] = actions[place]()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in results
    return results


def test_a_batch_asks_for_keys_once(keeping: World) -> None:
    asked = []
    keys = keeping.engine.callbacks.keys

    def counted() -> Any:
        asked.append(1)
        return keys()

    keeping.engine = replace(keeping.engine, callbacks=Callbacks("http://noonday.test", counted))
    keeping.clock.now = NOON - MINUTE
    for name in ("a", "b", "c"):
        definition = calling_back()
        renamed = definition.model_copy(update={"name": name})
        commands.submit(keeping.engine, ADMIN, renamed, owner="blue", schedule=True)
    keeping.clock.now = NOON
    keeping.minute()
    hand_out(keeping.engine, 10)
    launch_started(keeping.engine, [one for _, one in keeping.queue.messages])
    assert len([what for what, _ in keeping.targets.calls if what == "launch"]) == 3
    assert len(asked) == 1
    assert keeping.engine.store.read(lambda reader: reader.noted(NOTE)) is not None
