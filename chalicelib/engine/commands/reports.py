"""What targets say of their own runs: that they live, and how they end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NoReturn

from chalicelib.engine.callbacks import heard
from chalicelib.engine.completion import Followed, follow
from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import Reported, ReportRefused, of_run
from chalicelib.engine.outcomes import Failed, Outcome, Stopped, Succeeded
from chalicelib.engine.ports import Reader, Transaction
from chalicelib.engine.settle import Result, settle
from chalicelib.model.credential import without_credentials
from chalicelib.model.errors import NotFound, RunOver, Unauthenticated
from chalicelib.model.identity import run_token
from chalicelib.model.instance import Instance, Run, Stop
from chalicelib.model.states import IN_FLIGHT, TERMINAL, InstanceState
from chalicelib.state_machine import InstanceEvent, move_instance

_TOKEN = re.compile(r"([0-9a-f]{32})-(\d{1,9})")
SILENT = "its target reported that it failed, and not why"


class Report(StrEnum):
    """``stopped``: it was asked to stop, and did."""

    RUNNING = "running"
    HEARTBEAT = "heartbeat"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


_SAID: Mapping[Report, frozenset[InstanceState]] = {
    Report.SUCCEEDED: frozenset({InstanceState.SUCCEEDED}),
    Report.FAILED: frozenset({InstanceState.FAILED}),
    Report.STOPPED: TERMINAL,
}
"""The ends in which a report says what is known already."""


@dataclass(frozen=True, slots=True)
class Said:
    """``message``: how far it is. ``error`` and ``retry``: why it failed, and if another may help."""

    report: Report
    message: str | None = None
    error: str | None = None
    retry: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """The run as it is now. ``stop``: it is asked to end."""

    run: Run
    stop: Stop | None = None


def report(engine: Engine, token: str, credential: str, said: Said) -> Answered:
    """Take the report of a run's target.

    A report that was taken before changes nothing.

    Raises:
        Unauthenticated: the credential is not this run's, or it has expired.
        NotFound: the run's record was purged.
        RunOver: it ended otherwise, or another run took its place: the target has to stop.
    """
    admit(engine, token, credential)
    return take(engine, token, said)


def admit(engine: Engine, token: str, credential: str) -> None:
    """Raises Unauthenticated: the credential is not this run's, or it has expired."""
    now = engine.clock.now_ms()
    try:
        engine.callbacks.verify(token, credential, now)
    except Unauthenticated as refused:
        if _TOKEN.fullmatch(token):  # what names no run is nobody's target
            engine.listener(ReportRefused(at_ms=now, token=token, error=refused.message))
        raise


def take(engine: Engine, token: str, said: Said) -> Answered:
    """The report of who was admitted. Raises NotFound, RunOver."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise NotFound(f"there is no run {token!r}")
    instance_id, run = match[1], int(match[2])
    said = replace(
        said,
        message=said.message and without_credentials(said.message),
        error=said.error and without_credentials(said.error),
    )
    if said.report in _SAID:
        return _ended(engine, instance_id, run, said)
    return _alive(engine, instance_id, run, said)


def _alive(engine: Engine, instance_id: str, run: int, said: Said) -> Answered:
    """A sign of life takes the instance's row alone: nothing of its job or group follows from it."""

    def unit(tx: Transaction) -> Instance:
        now = engine.clock.now_ms()
        found = tx.lock_instances([instance_id])
        present = found[0] if found else None
        if present is None or present.run != run or present.state not in IN_FLIGHT:
            _refuse(tx, present, run)
        after = _running(heard(present, said.message, now), now)
        after = replace(after, version=present.version + 1)
        tx.save_instances([after])
        return after

    after = engine.store.transact(unit)
    _tell(engine, after, run, said)
    return Answered(after.latest_run, after.stop)


def _ended(engine: Engine, instance_id: str, run: int, said: Said) -> Answered:
    """Its end is settled as every other: slots pass on, retries are decided, somebody is told."""

    def move(present: Instance, now_ms: int) -> Followed:
        if present.state not in IN_FLIGHT:
            return Followed(present)
        reporting = _with_log(heard(present, said.message, now_ms))
        return follow(_running(reporting, now_ms), _outcome(said), now_ms)

    moved = settle(engine, [Result(instance_id, run, None, move)])
    if moved:
        _tell(engine, moved[0], run, said)
    return Answered(engine.store.read(lambda reader: _known(reader, instance_id, run, said)))


def _known(reader: Reader, instance_id: str, run: int, said: Said) -> Run:
    """The run, if it ended as was said."""
    found = reader.instances_by_id([instance_id])
    present = found[0] if found else None
    the_run = _run_of(reader, present, run)
    if the_run is None or the_run.state not in _SAID[said.report]:
        _refuse(reader, present, run)
    return the_run


def _run_of(reader: Reader, present: Instance | None, run: int) -> Run | None:
    if present is None:
        return None
    if present.run == run:
        return present.latest_run
    return next(
        (one for one in reader.runs([present.id]).get(present.id, ()) if one.number == run), None
    )


def _refuse(reader: Reader, present: Instance | None, run: int) -> NoReturn:
    the_run = _run_of(reader, present, run)
    if present is None or the_run is None:
        raise NotFound("there is no record of this run; stop working on it")
    if the_run.state in TERMINAL:
        reason = f" ({the_run.reason})" if the_run.reason else ""
        raise RunOver(f"run {run} is {the_run.state}{reason}; stop working on it")
    raise RunOver(f"run {run} is not launched; stop working on it")


def _running(instance: Instance, now_ms: int) -> Instance:
    """Who reports runs. The version does not grow."""
    return replace(
        instance,
        state=move_instance(instance.state, InstanceEvent.RUN),
        started_ms=instance.started_ms or now_ms,
    )


def _with_log(instance: Instance) -> Instance:
    """A program that reports its end is still at work; where its output is kept, its handle says."""
    handle = json.loads(instance.handle) if instance.handle else {}
    return replace(instance, log_path=instance.log_path or handle.get("log"))


def _outcome(said: Said) -> Outcome:
    if said.report is Report.SUCCEEDED:
        return Succeeded()
    if said.report is Report.STOPPED:
        return Stopped()
    return Failed(said.error or SILENT, retry=said.retry)


def _tell(engine: Engine, instance: Instance, run: int, said: Said) -> None:
    """Of the run that reported, also when another follows it already."""
    which = {**of_run(instance, None), "run": run, "token": run_token(instance.id, run)}
    if run != instance.run:
        which["external_id"] = None
    now = engine.clock.now_ms()
    engine.listener(Reported(at_ms=now, **which, report=said.report.value))
