"""The alarm's two hands and the queues of one process, each driving handlers as the cloud does."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

from chalicelib.engine.ports import HandedOut, Lane
from chalicelib.local.alarm_thread import AlarmThread
from chalicelib.local.queues import MemoryQueues
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.messages import read_handed_out, read_wake_up

MINUTE = 60_000


class Lines(io.StringIO):
    """Says when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def flush(self) -> None:
        self.written.set()


class Hand:
    """A clock that the test sets, and handlers that note who rang when."""

    def __init__(self, now_ms: int = 10 * MINUTE + 1) -> None:
        self.now = now_ms
        self.rung: list[tuple[str, int]] = []
        self.fail = 0
        self.changed = threading.Condition()
        self.log = Lines()
        self.alarm = AlarmThread(self)
        handlers = {"minute": self.minute, "second": self.second}
        self.alarm.start(handlers, JsonLog(self.log, "debug", self.now_ms))

    def now_ms(self) -> int:
        return self.now

    def minute(self, event: Any, context: Any) -> None:
        assert event["source"] == "aws.events"
        assert context.get_remaining_time_in_millis() > 0
        self._note("minute", 0)

    def second(self, event: Any, _: Any) -> None:
        for record in event["Records"]:
            self._note("second", read_wake_up(record["body"]).arm_until_ms)

    def _note(self, hand: str, until_ms: int) -> None:
        with self.changed:
            self.rung.append((hand, until_ms))
            self.changed.notify_all()
        if self.fail:
            self.fail -= 1
            raise RuntimeError("the sweep broke")

    def wait_for(self, count: int) -> list[tuple[str, int]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.rung) >= count, 10), self.rung
            return list(self.rung)


def test_the_minute_hand_rings_at_the_start_and_at_each_full_minute() -> None:
    hand = Hand()
    assert hand.wait_for(1) == [("minute", 0)]
    hand.now = 11 * MINUTE
    assert hand.wait_for(2) == [("minute", 0)] * 2
    assert hand.alarm.ring_now(10)
    assert hand.wait_for(3) == [("minute", 0)] * 3
    hand.alarm.stop(10)


def test_a_wake_up_rings_when_its_time_has_come_and_not_before() -> None:
    hand = Hand()
    hand.wait_for(1)
    hand.alarm.wake(hand.now + 5_000, 7)
    hand.alarm.wake(hand.now, 3)
    assert hand.wait_for(2)[1:] == [("second", 3)]
    hand.now += 5_000
    assert hand.wait_for(3)[2:] == [("second", 7)]
    hand.alarm.stop(10)


def test_wake_ups_for_one_moment_are_one_with_the_latest_of_their_permissions() -> None:
    hand = Hand()
    hand.wait_for(1)
    for until_ms in (5, 7, 3):
        hand.alarm.wake(hand.now + 5_000, until_ms)
    hand.now += 5_000
    assert hand.wait_for(2)[1:] == [("second", 7)]
    hand.alarm.wake(hand.now, 4)
    assert hand.wait_for(3)[2:] == [("second", 4)]
    hand.alarm.stop(10)


def test_a_sweep_that_breaks_is_logged_and_rings_again() -> None:
    hand = Hand()
    hand.wait_for(1)
    hand.fail = 1
    hand.alarm.wake(hand.now, 3)
    assert hand.log.written.wait(10)
    hand.now += 1_500
    assert [who for who, _ in hand.wait_for(3)] == ["minute", "second", "second"]
    hand.alarm.stop(10)
    [line] = [json.loads(line) for line in hand.log.getvalue().splitlines()]
    assert "the sweep broke" in line["error"]


def handed(number: int) -> HandedOut:
    return HandedOut(f"{number:032x}", number)


class Desk:
    """Handlers of the queues that note what they got; ``go`` lets them end."""

    def __init__(self, workers: int = 2) -> None:
        self.got: dict[str, list[list[HandedOut]]] = {lane.value: [] for lane in Lane}
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.log = io.StringIO()
        self.queues = MemoryQueues(workers)
        handlers = {name: self._handler(name) for name in self.got}
        self.queues.start(handlers, JsonLog(self.log, "debug", lambda: 0))

    def _handler(self, name: str) -> Any:
        def handle(event: Any, _: Any) -> None:
            [record] = event["Records"]
            self.got[name].append(read_handed_out(record["body"]))
            self.began.release()
            assert self.go.wait(10)

        return handle


def test_inline_runs_travel_alone_and_started_ones_together() -> None:
    desk = Desk()
    desk.go.set()
    desk.queues.send(Lane.WORK, [handed(1), handed(2)])
    desk.queues.send(Lane.LAUNCH, [handed(3), handed(4)])
    desk.queues.send(Lane.DELIVER, [handed(5), handed(6)])
    assert desk.queues.quiet(10)
    assert sorted(desk.got["deliver"], key=str) == [[handed(5)], [handed(6)]]
    assert sorted(desk.got["work"], key=str) == [[handed(1)], [handed(2)]]
    assert desk.got["launch"] == [[handed(3), handed(4)]]


def test_no_more_run_at_once_than_there_are_workers() -> None:
    desk = Desk(workers=2)
    desk.queues.send(Lane.WORK, [handed(number) for number in range(5)])
    assert desk.began.acquire(timeout=10)
    assert desk.began.acquire(timeout=10)
    assert not desk.queues.quiet(0)
    assert len(desk.got["work"]) == 2
    desk.go.set()
    assert desk.queues.quiet(10)
    assert len(desk.got["work"]) == 5


def test_a_handler_that_breaks_is_logged_and_its_thread_goes_on() -> None:
    queues, log = MemoryQueues(1), io.StringIO()

    def broken(event: Any, context: Any) -> None:
        raise RuntimeError(f"{context.function_name}: {event['Records'][0]['body']}")

    queues.start(dict.fromkeys(Lane, broken), JsonLog(log, "error", lambda: 0))
    queues.send(Lane.WORK, [handed(1), handed(2)])
    assert queues.quiet(10)
    assert len(log.getvalue().splitlines()) == 2


def test_the_end_finishes_what_it_can_and_counts_the_rest() -> None:
    desk = Desk(workers=1)
    desk.queues.send(Lane.WORK, [handed(1), handed(2)])
    assert desk.began.acquire(timeout=10)
    left = desk.queues.stop(0)
    assert (left.count, left.at_work, left.in_line[Lane.WORK]) == (2, 1, (handed(2),))
    desk.go.set()
    assert desk.queues.quiet(10)
    assert desk.got["work"] == [[handed(1)]]
    desk.queues.send(Lane.WORK, [handed(3)])
    assert desk.queues.quiet(0)


def test_the_end_waits_for_what_began_and_not_for_what_is_in_line() -> None:
    """A backlog of thousands would take all the grace there is, and be no shorter for it."""
    desk = Desk(workers=1)
    desk.queues.send(Lane.WORK, [handed(number) for number in range(1000)])
    assert desk.began.acquire(timeout=10)
    threading.Timer(0.05, desk.go.set).start()
    assert desk.queues.stop(10).count == 999
    assert desk.got["work"] == [[handed(0)]]
