"""Noonday in this process, with its REST API in front, and targets that do as they are told."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from app import app
from chalicelib import wiring
from chalicelib.engine.commands import register_token
from chalicelib.engine.launch import launch_started
from chalicelib.engine.outcomes import (
    Dropped,
    Failed,
    Launched,
    Outcome,
    Pending,
    Refused,
    Running,
    RunTaken,
    Stopped,
    Style,
    Succeeded,
    Unknown,
)
from chalicelib.engine.ports import Control, Lane, LaunchRequest
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.local.gateway import Gateway
from chalicelib.local.http_message import HttpRequest
from chalicelib.model.errors import InvalidInput, Problem
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import read_settings
from chalicelib.store import SqlStore
from tests.engine.world import CountingIds, NoArtifacts, NoChance, World

TOKEN = "a-token-of-the-model"
TESTER = "tester"
LAUNCHES: Mapping[str, Outcome] = {
    "accept": Succeeded(),  # a started kind answers with an id instead
    "refuse": Refused("no room"),
    "fail": Failed("broken"),
    "hopeless": Failed("no such thing", retry=False),
    "lose": Unknown("no answer"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a target: in which delivery, of which run, and what the target answered."""

    delivery: int
    verb: str
    instance_id: str
    run: int
    token: str
    outcome: Outcome


@dataclass
class Puppets:
    """Targets of two kinds. ``modes``: how a job's launches end. ``endings``: how a run has ended.

    ``deaf``: jobs whose runs never confirm a stop. ``record``: the outside world; nothing else is trusted.
    """

    modes: dict[str, str] = field(default_factory=dict)
    endings: dict[str, Outcome] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    record: list[Call] = field(default_factory=list)
    otherwise: Outcome = field(default_factory=Running)
    delivery: int = 0

    def validate(
        self,
        target: Mapping[str, Any],
        parameters: Collection[str] | None = None,
        *,
        owner: str | None = None,
    ) -> None:
        del parameters, owner
        if target.get("kind") not in ("started", "inline"):
            raise InvalidInput([Problem("target.kind", "is unknown", target.get("kind"))])

    def style(self, kind: str) -> Style:
        return Style.STARTED if kind == "started" else Style.INLINE

    def launch(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [self._said("launch", one, self._launch(one)) for one in requests]

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [
            self._said("describe", one, self.endings.get(one.token, self.otherwise))
            for one in requests
        ]

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [self._said("cancel", one, self._cancel(one)) for one in requests]

    def run(self, request: LaunchRequest, control: Control) -> Outcome:
        outcome = LAUNCHES[self._mode(request)]
        if isinstance(outcome, Refused) and request.handle is None:  # what has begun is not refused
            return self._said("launch", request, outcome)
        try:
            control.begin({"token": request.token})
        except RunTaken:
            if control.stopping and not control.lost:
                self._said("cancel", request, Stopped())
            return Dropped()
        return self._said("run", request, outcome)

    def _mode(self, request: LaunchRequest) -> str:
        return self.modes.get(request.job_name, "accept")

    def _launch(self, request: LaunchRequest) -> Outcome:
        mode = self._mode(request)
        return Launched(f"x-{request.token}") if mode == "accept" else LAUNCHES[mode]

    def _cancel(self, request: LaunchRequest) -> Outcome:
        confirmed: Outcome = Pending() if request.job_name in self.deaf else Stopped()
        return self.endings.get(request.token, confirmed)

    def _said(self, verb: str, request: LaunchRequest, outcome: Outcome) -> Outcome:
        self.record.append(
            Call(self.delivery, verb, request.instance_id, request.run, request.token, outcome)
        )
        return outcome


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


class Stage:
    """``together``: what is handed out travels in one message, not each alone."""

    def __init__(self, store: SqlStore, *, now_ms: int, together: bool) -> None:
        self.world = World(store, now_ms=now_ms)
        self.puppets = Puppets()
        self.together = together
        self.log = io.StringIO()
        lines = JsonLog(self.log, "error", self.world.clock.now_ms)
        stops = RunsInThisProcess()
        transport = wiring.Transport(self.world.queue, self.world.alarm, stops)
        settings = read_settings({"NOONDAY_AUTH": "local"})
        composed = wiring.compose(settings, store, self.world.clock, transport, lines)
        engine = replace(
            composed.engine,
            ids=CountingIds(),
            chance=NoChance(),
            targets=self.puppets,
            artifacts=NoArtifacts(),
            conditions=self.world.places,
            channels=self.world.channels,
        )
        self.noonday = replace(composed, engine=engine)
        self.world.engine = engine
        register_token(engine, TOKEN, TESTER, admin=True)
        wiring.provide(lambda: self.noonday)
        self._gateway = Gateway(app)

    @property
    def now(self) -> int:
        return self.world.clock.now

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """One request; every answer is a document or a problem, and never a defect."""
        raw = b"" if body is None else json.dumps(body).encode()
        target = f"{path}?{urlencode(query)}" if query else path
        headers = (("authorization", f"Bearer {TOKEN}"), ("content-type", "application/json"))
        said = self._gateway.handle(HttpRequest(method, target, headers, raw, True, "127.0.0.1"))
        document = json.loads(said.body or "null")
        assert said.status < 500, (method, target, body, document, self.log.getvalue())
        if said.status >= 400:
            assert document["status"] == said.status
            assert document["code"]
            assert document["detail"]
        return Answer(said.status, document)

    def quiet(self) -> None:
        """The minute hand, and everything that follows of it at this moment."""
        self.world.minute()
        self._deliver()

    def _deliver(self) -> None:
        self.puppets.delivery += 1
        while (self.together and self._launch_together()) or self.world.step():
            self.puppets.delivery += 1

    def _launch_together(self) -> bool:
        messages = self.world.queue.messages
        handed = [one for lane, one in messages if lane is Lane.LAUNCH]
        if not handed:
            return False
        messages[:] = [(lane, one) for lane, one in messages if lane is not Lane.LAUNCH]
        launch_started(self.noonday.engine, handed)
        return True
