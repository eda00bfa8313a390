"""Inline kinds: the call is the work. One run at a time, under a lease that its holder renews."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace

from chalicelib.engine.claim import LEASE_MS, claim
from chalicelib.engine.consequences import ENGINE
from chalicelib.engine.engine import Engine
from chalicelib.engine.moved import Moved
from chalicelib.engine.narration import tell
from chalicelib.engine.outcomes import Dropped, RunTaken, Stopped
from chalicelib.engine.ports import HandedOut, Transaction
from chalicelib.engine.settle import result_of, settle
from chalicelib.engine.stopping import request_stop
from chalicelib.model.errors import Unavailable
from chalicelib.model.instance import Claim, Instance
from chalicelib.model.states import IN_FLIGHT, StopKind
from chalicelib.state_machine import InstanceEvent, move_instance

RENEW_SECONDS = 20.0


def run_inline(engine: Engine, handed: HandedOut) -> None:
    """Claim the run, do its work under a lease, settle. A run that moved meanwhile is dropped."""
    for mine in claim(engine, [handed]):
        control = RunControl(engine, mine.instance, mine.request.job_name)
        with control:
            outcome = engine.targets.run(mine.request, control)
        if isinstance(outcome, Dropped) and control.stopping and not control.lost:
            outcome = Stopped()  # the stop came before the target began
        settle(engine, [result_of(mine.instance, outcome)])


class RunControl:
    """The Control port: keeps the lease while the target works, and carries stop requests to it.

    A context manager; its thread renews every 20 s, earlier when this process is told of a stop or
    when the run's time is over. ``lost``: the claim is no longer ours, which counts as a stop.
    """

    def __init__(self, engine: Engine, instance: Instance, job_name: str) -> None:
        self._engine = engine
        self._names = {instance.job_id: job_name}
        self._id = instance.id
        self._run = instance.run
        self._epoch = instance.claim.epoch
        self._deadline_ms = instance.deadline_ms
        self._look = threading.Event()
        self._done = False
        self._lost = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._cancels: list[Callable[[], None]] = []
        # What it tells belongs to the same invocation.
        self._thread = threading.Thread(
            target=copy_context().run,
            args=(self._keep,),
            name=f"lease-{self._id}",
            daemon=True,
        )
        if instance.stop is not None:
            self._stop.set()

    def __enter__(self) -> RunControl:
        self._watching = self._engine.stops.watch(self._id, self._look.set)
        self._watching.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done = True
        self._look.set()
        self._thread.join()
        self._watching.__exit__(None, None, None)

    def begin(self, handle: Mapping[str, object]) -> None:
        """Commit RUNNING with the handle. Raises RunTaken when the run must not begin."""
        text = json.dumps(handle, sort_keys=True)

        def begun(present: Instance, now: int) -> Instance:
            return replace(
                present,
                state=move_instance(present.state, InstanceEvent.RUN),
                handle=text,
                launched_ms=present.launched_ms or now,
                started_ms=present.started_ms or now,
            )

        if not self._write(begun) or self.stopping:
            raise RunTaken

    @property
    def lost(self) -> bool:
        return self._lost

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def on_stop(self, cancel: Callable[[], None]) -> None:
        with self._lock:
            if not self._stop.is_set():
                self._cancels.append(cancel)
                return
        cancel()

    def wait(self, seconds: float) -> bool:
        return self._stop.wait(seconds)

    def _keep(self) -> None:
        while True:
            self._look.wait(self._patience())
            self._look.clear()
            if self._done:
                return
            if not self.stopping:
                self._renew()

    def _patience(self) -> float:
        """Seconds until the next renewal: the usual ones, or less if the run's time ends before."""
        if self._deadline_ms is None or self.stopping:
            return RENEW_SECONDS
        left = (self._deadline_ms - self._engine.clock.now_ms()) / 1000
        return min(RENEW_SECONDS, max(left, 0.05))

    def _renew(self) -> None:
        """A store that cannot be reached is no reason to stop: the lease decides when we are given up."""
        with suppress(Unavailable):
            self._write(lambda present, _: present)

    def _write(self, change: Callable[[Instance, int], Instance]) -> bool:
        """Renew the lease together with the change; false when the claim is no longer ours.

        Reads the stop request in the same breath, and makes one when the run's time is over.
        """

        def unit(tx: Transaction) -> Moved | None:
            now = self._engine.clock.now_ms()
            [present] = tx.lock_instances([self._id])
            if not self._is_ours(present):
                return None
            after = replace(change(present, now), version=present.version + 1)
            if after.stop is None and self._deadline_ms is not None and now >= self._deadline_ms:
                after = request_stop(after, StopKind.TIME_OUT, ENGINE, None, now)
                after = replace(after, version=present.version + 1)
            after = _leased(after, now)
            tx.save_instances([after])
            return Moved(present, after)

        moved = self._engine.store.transact(unit)
        self._lost = moved is None
        if moved is not None:
            tell(self._engine, [moved], self._names)
        if moved is None or moved.after.stop is not None:
            self._request_stop()
        return moved is not None

    def _is_ours(self, present: Instance) -> bool:
        same = present.run == self._run and present.claim.epoch == self._epoch
        return same and present.state in IN_FLIGHT

    def _request_stop(self) -> None:
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
            cancels = list(self._cancels)
        for cancel in cancels:
            cancel()


def _leased(instance: Instance, now_ms: int) -> Instance:
    """A renewed lease; who lives to renew has not lost the run, so its count of claims starts over."""
    lease_ms = now_ms + LEASE_MS
    ends = [lease_ms, instance.deadline_ms, instance.stop.deadline_ms if instance.stop else None]
    wake_ms = min(end for end in ends if end is not None and end > now_ms)
    return replace(instance, claim=Claim(instance.claim.epoch, lease_ms, count=1), wake_ms=wake_ms)
