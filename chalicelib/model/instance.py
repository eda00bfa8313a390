"""What an instance and a run are: plain values, as the store keeps them and the engine moves them."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.model.identity import run_token
from chalicelib.model.instants import TZDATA_VERSION
from chalicelib.model.states import GroupPlace, InstanceKind, InstanceState, StopKind


@dataclass(frozen=True, slots=True)
class Stop:
    """A request to end a run in flight. ``deadline_ms``: then it ends as requested, confirmed or not."""

    kind: StopKind
    by: str
    reason: str | None
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Who may launch: each claim of an instance has its own epoch, and a late holder's writes match nothing.

    ``lease_ms``: until then the holder may be alive. ``count``: claims of this run without an outcome.
    """

    epoch: int = 0
    lease_ms: int | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt. ``handle``: JSON by which its target finds it again (a pid, a connection's id)."""

    number: int
    state: InstanceState
    reason: str | None = None
    external_id: str | None = None
    external_url: str | None = None
    handle: str | None = None
    result_path: str | None = None
    log_path: str | None = None
    error: str | None = None
    created_ms: int = 0
    launched_ms: int | None = None
    started_ms: int | None = None
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The one thing that accounts for one nominal time of one job. Times are UTC milliseconds.

    Its state is that of its latest run, whose facts are inlined here; runs that a retry or a rerun
    superseded are history. ``version`` grows with every write and shuts out late writers.
    ``wake_ms``: when the sweep must look; None when terminal or held. ``deadline_ms``: the wait's end
    while WAITING, the run's end while in flight. ``active``: it holds a slot.
    ``tzdata``: the release of the zone database by which its nominal time was computed.

    ``attempt`` and ``launch_attempt`` count runs that failed and launches that failed; each has its budget.
    ``backfill``: the one that made it or reran it, whose limit it counts against instead of its job's.
    ``overlap`` and ``max_active`` stand in for the definition's where they are given. ``group``: the
    concurrency group, and ``place`` in it. ``checks``, ``checked_ms`` and ``findings_json``: how often its
    prerequisites were looked at since its run was created, when last, and what was found.
    ``asked_ms``: when a person asked for it to be run again, last; its retries are asked for with it.
    ``heard_ms`` and ``said``: when the target of its latest run reported last, and its words.
    """

    id: str
    job_id: str
    owner: str
    nominal_ms: int
    kind: InstanceKind
    parameters_json: str = "{}"
    state: InstanceState = InstanceState.WAITING
    reason: str | None = None
    revision: int
    run: int = 1
    attempt: int = 1
    launch_attempt: int = 1
    version: int = 1
    wake_ms: int | None
    deadline_ms: int | None = None
    active: bool = False
    backfill: str | None = None
    overlap: str | None = None
    max_active: int | None = None
    group: str | None = None
    place: GroupPlace | None = None
    checks: int = 0
    checked_ms: int | None = None
    findings_json: str | None = None
    asked_ms: int | None = None
    heard_ms: int | None = None
    said: str | None = None
    claim: Claim = Claim()
    stop: Stop | None = None
    external_id: str | None = None
    external_url: str | None = None
    handle: str | None = None
    result_path: str | None = None
    log_path: str | None = None
    error: str | None = None
    waiting_on: str | None = None
    created_ms: int
    run_created_ms: int
    ready_ms: int | None = None
    launched_ms: int | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    tzdata: str | None = TZDATA_VERSION

    @property
    def token(self) -> str:
        return run_token(self.id, self.run)

    @property
    def latest_run(self) -> Run:
        return Run(
            number=self.run,
            state=self.state,
            reason=self.reason,
            external_id=self.external_id,
            external_url=self.external_url,
            handle=self.handle,
            result_path=self.result_path,
            log_path=self.log_path,
            error=self.error,
            created_ms=self.run_created_ms,
            launched_ms=self.launched_ms,
            started_ms=self.started_ms,
            ended_ms=self.ended_ms,
        )
