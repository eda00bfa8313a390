"""Waiting ends with the run, survives a restart of the server, and never decides about the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cli.client import Client
from cli.errors import RunFailed, Stopped, Unreachable
from cli.session import Access
from cli.transport import Patience
from cli.waiting import AWAY_SECONDS, Pace, check_success, follow_log, wait_for
from tests.cli.conftest import Run
from tests.cli.documents import INSTANCE_ID, an_instance
from tests.cli.stand_in import Answer, StandIn


class Time:
    """A clock that only pausing moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def pace(self) -> Pace:
        return Pace(pause=self.pause, now=lambda: self.seconds)


@pytest.fixture
def api(server: StandIn) -> Iterator[Client]:
    client = Client(Access(server.url, "t", None), patience=Patience(tries=1))
    yield client
    client.close()


def states(*names: str) -> list[Answer]:
    return [Answer(200, an_instance(state=name)) for name in names]


def test_it_looks_until_the_run_has_ended(
    server: StandIn, api: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    time = Time()
    server.then(*states("WAITING", "RUNNING", "RUNNING", "SUCCEEDED"))
    assert wait_for(api, INSTANCE_ID, pace=time.pace)["state"] == "SUCCEEDED"
    # Without a terminal each change is told once.
    assert capsys.readouterr().err.splitlines() == [
        "daily-revenue run 1 WAITING",
        "daily-revenue run 1 RUNNING",
        "daily-revenue run 1 SUCCEEDED",
    ]


def test_it_waits_longer_and_longer_but_never_long(server: StandIn, api: Client) -> None:
    time = Time()
    server.then(*states(*["RUNNING"] * 30, "SUCCEEDED"))
    wait_for(api, INSTANCE_ID, pace=time.pace)
    assert 40 < time.seconds < 60


def test_a_restart_of_the_server_is_sat_out(server: StandIn, api: Client) -> None:
    server.then(*[Answer(breaks=True)] * 5, *states("SUCCEEDED"))
    assert wait_for(api, INSTANCE_ID, pace=Time().pace)["state"] == "SUCCEEDED"


def test_a_server_that_stays_away_ends_the_waiting(server: StandIn, api: Client) -> None:
    time = Time()
    server.then(*[Answer(breaks=True)] * 100)
    with pytest.raises(Unreachable):
        wait_for(api, INSTANCE_ID, pace=time.pace)
    assert AWAY_SECONDS < time.seconds < AWAY_SECONDS + 5


def test_ctrl_c_leaves_the_run_going_and_says_so(server: StandIn, api: Client) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    server.then(*states("RUNNING"))
    with pytest.raises(Stopped, match="the run goes on") as stopped:
        wait_for(api, INSTANCE_ID, pace=Pace(pause=interrupted))
    assert INSTANCE_ID in str(stopped.value.hint)
    assert stopped.value.exit_code == 130
    assert len(server.asked) == 1


def test_a_log_is_followed_to_its_end_and_no_byte_comes_twice(server: StandIn, api: Client) -> None:
    running, ended = an_instance(state="RUNNING"), an_instance()
    half = "grü\N{REPLACEMENT CHARACTER}".encode()
    server.then(
        *[Answer(200, running), Answer(404, {"title": "no log yet"})],
        *[Answer(200, running), Answer(body=half)],
        *[Answer(200, running), Answer(body="grüß".encode())],
        *[Answer(200, ended), Answer(body="grüß dich\n".encode())],
    )
    written: list[bytes] = []
    follow_log(api, INSTANCE_ID, None, write=written.append, pace=Time().pace)
    assert b"".join(written).decode() == "grüß dich\n"


@pytest.mark.parametrize("state", ["FAILED", "TIMED_OUT", "KILLED", "SKIPPED"])
def test_every_other_end_is_no_success(state: str) -> None:
    with pytest.raises(RunFailed):
        check_success(an_instance(state=state))


@pytest.mark.parametrize(
    ("line", "route"),
    [
        ("job trigger x --wait", "POST /jobs/x/trigger"),
        (f"instance show {INSTANCE_ID} --wait", ""),
    ],
)
@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 5)])
def test_the_exit_code_is_the_runs(
    run: Run, server: StandIn, line: str, route: str, state: str, code: int
) -> None:
    ended: dict[str, Any] = an_instance(state=state, error="no such table")
    server.on(f"GET /instances/{INSTANCE_ID}", ended)
    if route:
        server.on(route, an_instance(state="WAITING"), status=201)
    ran = run(*line.split(), "-o", "json")
    assert (ran.code, ran.document) == (code, ended)
    assert ("did not succeed" in ran.err) == (code == 5)
