"""The server as a process: how it starts, what it refuses, and what is left when it ends, however it ends."""

from __future__ import annotations

import http.client
import json
import signal
import stat
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Server as Database
from tests.local.proxy import plugged_in
from tests.local.server import Server, environment, launch, serving, start

CLOCK = "2026-01-01T00:00:00Z"
NOON = 1_767_225_600_000
MINUTE = 60_000


def job(name: str, *command: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "schedule": {"every": "PT1M", "start": "2026-01-01T00:00:00Z"},
        "target": {"kind": "process", "command": list(command) or ["true"]},
        **fields,
    }


def eventually(what: Callable[[], Any], *, within_s: float = 30) -> Any:
    """The first true answer; servers are other processes, so that all one can do is to ask again."""
    pause = threading.Event()
    for _ in range(int(within_s / 0.05)):
        if answer := what():
            return answer
        pause.wait(0.05)
    raise AssertionError(f"did not become true within {within_s} seconds")


def instances(server: Server, name: str) -> list[dict[str, Any]]:
    """All of a job's, oldest first."""
    answer = server.call("GET", f"/jobs/{name}/instances?limit=500")
    assert answer.status == 200, answer.body
    return list(reversed(answer.body["items"]))


# --- starting


def test_it_says_where_it_serves_and_how_to_begin(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")
        said = eventually(lambda: len(server.said) >= 5 and "\n".join(server.said))
    assert f"sqlite:///{tmp_path}/noonday.db" in said
    assert "noonday job submit" in said
    assert server.token not in said
    assert "warning" not in said


def test_the_token_is_created_once_and_kept_for_the_cli(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        profiles = tmp_path / "config" / "noonday" / "profiles.json"
        assert stat.S_IMODE(profiles.stat().st_mode) == 0o600
        assert json.loads(profiles.read_text()) == {
            "current": "local",
            "profiles": {"local": {"url": first.url, "token": first.token, "owner": None}},
        }
        assert first.call("GET", "/whoami").body["name"] == "local"
    with serving(tmp_path) as second:
        assert second.token == first.token
        assert second.call("GET", "/whoami").body["admin"]


def test_other_profiles_and_choices_stay(tmp_path: Path) -> None:
    profiles = tmp_path / "config" / "noonday" / "profiles.json"
    profiles.parent.mkdir(parents=True)
    cloud = {"url": "https://noonday.example", "token": "theirs", "owner": "data"}
    local = {"url": "http://127.0.0.1:1", "token": "a-token-from-before", "owner": "team"}
    before = {"current": "cloud", "profiles": {"cloud": cloud, "local": local}}
    profiles.write_text(json.dumps(before))
    with serving(tmp_path) as server:
        after = json.loads(profiles.read_text())
    assert after["profiles"]["local"] == {**local, "url": server.url}
    assert (after["current"], after["profiles"]["cloud"]) == ("cloud", cloud)


def test_a_profile_file_that_is_none_is_replaced(tmp_path: Path) -> None:
    profiles = tmp_path / "config" / "noonday" / "profiles.json"
    profiles.parent.mkdir(parents=True)
    profiles.write_text("[not a profile file")
    with serving(tmp_path) as server:
        assert server.call("GET", "/whoami").status == 200


def test_the_operators_token_is_used(tmp_path: Path) -> None:
    environ = {"NOONDAY_TOKEN": "the-token-of-the-operator"}
    with serving(tmp_path, environ=environ) as server:
        assert server.call("GET", "/whoami", token="the-token-of-the-operator").status == 200


def test_it_serves_without_a_home_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file where the folder should be")
    environ = {"NOONDAY_TOKEN": "the-token-of-the-operator"}
    with serving(tmp_path, environ=environ) as server:
        eventually(lambda: any("cannot be written" in line for line in server.said))


def test_who_opens_it_to_others_is_warned(tmp_path: Path) -> None:
    process = launch(tmp_path, environment(tmp_path), "--host", "0.0.0.0")  # noqa: S104
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(2)]
    process.terminate()
    process.communicate(timeout=30)
    assert "warning: others can reach this server" in lines[0]


def test_a_misspelt_setting_is_reported(tmp_path: Path) -> None:
    with serving(tmp_path, environ={"NOONDAY_WORKER": "3"}) as server:
        assert "did you mean NOONDAY_WORKERS?" in server.said[0]


# --- not starting


def refusal(tmp_path: Path, *arguments: str, **more: Any) -> tuple[int, str]:
    """How a server ends that cannot start, and the one line that it says."""
    environ = environment(tmp_path, more.pop("environ", {}))
    process = launch(tmp_path, environ, *arguments, **more)
    said, _ = process.communicate(timeout=60)
    lines = (tmp_path / "server.log").read_text().splitlines()
    assert said == ""
    assert len(lines) == 1, lines
    return process.returncode, lines[0]


REFUSED: dict[str, tuple[list[str], dict[str, str], int, str]] = {
    "a bad setting": ([], {"NOONDAY_WORKERS": "many"}, 2, "NOONDAY_WORKERS is 'many'"),
    "another authentication": ([], {"NOONDAY_AUTH": "iam"}, 2, "only API Gateway can verify"),
    "a weak token": ([], {"NOONDAY_TOKEN": "x"}, 2, "16 or more"),
    "a clock that is none": (["--clock", "noon"], {}, 2, "--clock"),
    "a port that is none": (["--port", "99999"], {}, 2, "0 to 65535"),
    "a host that is none": (["--host", "nowhere.invalid"], {}, 1, "nowhere.invalid"),
    "an address of others": (["--host", "192.0.2.1"], {}, 1, "cannot be served"),
}


@pytest.mark.parametrize(("arguments", "environ", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_keeps_it_from_starting(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], code: int, said: str
) -> None:
    ended, line = refusal(tmp_path, *arguments, environ=environ)
    assert (ended, said in line) == (code, True), line


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with serving(tmp_path / "first") as server:
        port = server.url.rpartition(":")[2]
        code, line = refusal(tmp_path / "second", "--port", port)
    assert code == 1
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "garbage.db").write_bytes(b"this is no database at all " * 100)
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "file").write_text("x")
    for place in ("garbage.db", "folder.db", "file/noonday.db"):
        (tmp_path / "server.log").unlink(missing_ok=True)
        code, line = refusal(tmp_path, database=f"sqlite:///{tmp_path / place}")
        assert code == 1
        assert place in line
    assert (tmp_path / "garbage.db").read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("mysql://root@127.0.0.1:1/noonday", 1, "127.0.0.1"),
        ("mysql://root:hunter2@127.0.0.1:1/noonday", 2, "NOONDAY_DATABASE_PASSWORD"),
        ("postgres://u@h/d", 2, "sqlite:///"),
    ],
)
def test_a_database_that_cannot_be_reached(tmp_path: Path, url: str, code: int, said: str) -> None:
    ended, line = refusal(tmp_path, database=url)
    assert (ended, said in line, "hunter2" in line) == (code, True, False), line


def test_a_second_server_on_the_same_file_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        (tmp_path / "server.log").unlink()
        code, line = refusal(tmp_path)
        assert code == 1
        assert f"pid {server.process.pid}" in line
        assert server.call("GET", "/jobs").status == 200


# --- time


def test_a_clock_moved_by_hand_goes_through_all_that_is_due(tmp_path: Path) -> None:
    with serving(tmp_path, "--clock", CLOCK) as server:
        clock = server.call("GET", "/clock").body
        assert clock == {"now_ms": NOON, "now_time": CLOCK, "by_hand": True}
        assert server.call("POST", "/jobs?schedule=true", job("tick")).status == 201
        moved = server.call("POST", "/clock", {"advance": "PT10M"})
        assert moved.body["now_ms"] == NOON + 10 * MINUTE
        found = instances(server, "tick")
        assert [one["nominal_ms"] for one in found] == [NOON + k * MINUTE for k in range(11)]
        assert {one["state"] for one in found} == {"SUCCEEDED"}
        assert all(one["created_ms"] == one["nominal_ms"] for one in found)
        moved = server.call("POST", "/clock", {"now": "2026-01-01T00:12:30+00:00"})
        assert len(instances(server, "tick")) == 13
        for body in ({"now": CLOCK}, {}, {"now": CLOCK, "advance": "PT1M"}, {"advance": "1m"}):
            assert server.call("POST", "/clock", body).status == 400


def test_time_waits_for_runs_unless_told_otherwise(tmp_path: Path) -> None:
    with serving(tmp_path, "--clock", CLOCK, environ={"NOONDAY_GRACE": "0"}) as server:
        wait = ["sh", "-c", "while [ ! -e go ]; do sleep 0.02; done"]
        assert server.call("POST", "/jobs?schedule=true", job("slow", *wait)).status == 201
        eventually(lambda: instances(server, "slow"))
        refused = server.call("POST", "/clock", {"advance": "PT1M", "wait_seconds": 0.1})
        assert (refused.status, refused.body["code"]) == (409, "conflict")
        assert "time stands at" in refused.body["detail"]
        assert (
            server.call("POST", "/clock", {"now": "2026-01-01T00:01:30Z", "wait_seconds": 0}).status
            == 200
        )
        assert len(instances(server, "slow")) == 2
        (tmp_path / "files" / "go").touch()
        assert server.call("POST", "/clock", {"advance": "PT1S"}).status == 200
        assert {one["state"] for one in instances(server, "slow")} == {"SUCCEEDED"}


def test_a_real_clock_is_not_moved(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.call("GET", "/clock").body["by_hand"] is False
        assert server.call("POST", "/clock", {"advance": "PT1H"}).status == 409


def test_a_job_fires_within_a_second_of_each_nominal_time(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        every = {"schedule": {"cron": "* * * * * ?"}}
        assert server.call("POST", "/jobs?schedule=true", job("tick", **every)).status == 201
        found = eventually(
            lambda: (
                [one for one in instances(server, "tick") if one["ended_ms"]][3:]
                and instances(server, "tick")
            )
        )
    times = [one["nominal_ms"] for one in found]
    assert times == list(range(times[0], times[0] + 1000 * len(times), 1000))
    late = [one["created_ms"] - one["nominal_ms"] for one in found]
    assert all(0 <= one < 1000 for one in late), late


# --- ending


def test_killed_in_the_middle_of_runs_nothing_is_missing_and_nothing_ran_twice(
    tmp_path: Path,
) -> None:
    script = "echo ${token} >> tokens; while [ ! -e go ]; do sleep 0.02; done"
    tokens = tmp_path / "files" / "tokens"
    server = start(tmp_path, "--clock", CLOCK)
    assert server.call("POST", "/jobs?schedule=true", job("work", "sh", "-c", script)).status == 201
    assert server.call("POST", "/clock", {"advance": "PT3M", "wait_seconds": 0}).status == 200
    eventually(lambda: tokens.exists() and len(tokens.read_text().splitlines()) == 4)
    server.kill()
    (tmp_path / "files" / "go").touch()
    with serving(tmp_path, "--clock", "2026-01-01T00:20:00Z") as again:
        eventually(
            lambda: (
                {one["state"] for one in instances(again, "work")} == {"SUCCEEDED"}
                and len(instances(again, "work")) >= 21
            )
        )
        found = instances(again, "work")
    assert [one["nominal_ms"] for one in found] == [NOON + k * MINUTE for k in range(21)]
    ran = Counter(tokens.read_text().split())
    assert ran == Counter(one["token"] for one in found)
    assert all(one["run"] == 1 for one in found)


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    server = start(tmp_path, "--clock", CLOCK)
    made, stop = [], threading.Event()

    def submit(client: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                answer = server.call("POST", "/jobs", job(f"job-{client}-{number}"))
            except (OSError, http.client.HTTPException):
                return
            assert answer.status == 201
            made.append(answer.body)

    clients = [threading.Thread(target=submit, args=(client,)) for client in range(6)]
    for client in clients:
        client.start()
    eventually(lambda: len(made) > 40)
    server.kill()
    stop.set()
    for client in clients:
        client.join(30)
    with serving(tmp_path, "--clock", CLOCK) as again:
        for one in made:
            assert again.call("GET", f"/jobs/{one['id']}").body == one


def test_an_end_while_requests_are_in_flight_answers_them_all(tmp_path: Path) -> None:
    """Each client keeps its connection and asks until it is told that it closes."""
    server = start(tmp_path, "--clock", CLOCK)
    made: list[Any] = []
    broken: list[BaseException] = []

    def submit(client: int) -> None:
        connection = server.connect()
        headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        for number in range(10_000):
            try:
                body = json.dumps(job(f"job-{client}-{number}"))
                connection.request("POST", "/jobs", body, headers)
                response = connection.getresponse()
                made.append(json.loads(response.read()))
            except (OSError, http.client.HTTPException) as error:
                broken.append(error)
                break
            if response.getheader("connection") == "close":
                break
        connection.close()

    clients = [threading.Thread(target=submit, args=(client,)) for client in range(6)]
    for client in clients:
        client.start()
    eventually(lambda: len(made) > 40)
    assert server.stop() == 0
    for client in clients:
        client.join(30)
    assert broken == []
    with serving(tmp_path, "--clock", CLOCK) as again:
        for one in made:
            assert again.call("GET", f"/jobs/{one['id']}").body == one


def test_an_end_lets_runs_finish(tmp_path: Path) -> None:
    with serving(tmp_path, "--clock", CLOCK) as server:
        script = "touch began; while [ ! -e go ]; do sleep 0.02; done"
        assert (
            server.call("POST", "/jobs?schedule=true", job("slow", "sh", "-c", script)).status
            == 201
        )
        eventually((tmp_path / "files" / "began").exists)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: any("Stopping" in line for line in server.said))
        (tmp_path / "files" / "go").touch()
        assert server.ended() == 0
        assert not any("still at work" in line for line in server.said)
    with serving(tmp_path, "--clock", CLOCK) as again:
        assert instances(again, "slow")[0]["state"] == "SUCCEEDED"


def test_an_end_does_not_wait_longer_than_its_grace(tmp_path: Path) -> None:
    with serving(tmp_path, "--clock", CLOCK, environ={"NOONDAY_GRACE": "0"}) as server:
        script = "touch began; while [ ! -e go ]; do sleep 0.02; done"
        assert (
            server.call("POST", "/jobs?schedule=true", job("slow", "sh", "-c", script)).status
            == 201
        )
        eventually((tmp_path / "files" / "began").exists)
        assert server.stop() == 0
        assert any("1 still at work" in line for line in server.said)
    (tmp_path / "files" / "go").touch()
    with serving(tmp_path, "--clock", "2026-01-01T00:00:59Z") as again:
        assert again.call("POST", "/clock", {"now": "2026-01-01T00:02:00Z"}).status == 200
        first = instances(again, "slow")[0]
        assert (first["state"], first["run"]) == ("SUCCEEDED", 1)


def test_who_was_in_line_at_the_end_begins_at_once_after_the_next_start(tmp_path: Path) -> None:
    """Not when the patience with a queue that may only be slow is over: this queue is known to be gone."""
    script = "echo >> began; while [ ! -e go ]; do sleep 0.02; done"
    one = {"NOONDAY_WORKERS": "1", "NOONDAY_GRACE": "0"}
    past = {
        "schedule": {
            "every": "PT1H",
            "start": "2025-12-31T20:00:00Z",
            "end": "2026-01-01T00:00:00Z",
        },
        "policies": {"catch_up": "all", "overlap": "allow", "max_active": 100},
    }
    with serving(tmp_path, "--clock", CLOCK, environ=one) as server:
        made = server.call("POST", "/jobs?schedule=true", job("slow", "sh", "-c", script, **past))
        assert made.status == 201, made.body
        eventually((tmp_path / "files" / "began").exists)
        assert server.stop() == 0
        assert any("4 still at work or in line" in line for line in server.said)
    (tmp_path / "files" / "go").touch()
    with serving(tmp_path, "--clock", CLOCK) as again:  # the very same moment
        eventually(
            lambda: sum(one["state"] == "SUCCEEDED" for one in instances(again, "slow")) >= 3
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_twice_it_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "--clock", CLOCK, environ={"NOONDAY_GRACE": "600"}) as server:
        script = "touch began; while [ ! -e go ]; do sleep 0.02; done"
        assert (
            server.call("POST", "/jobs?schedule=true", job("slow", "sh", "-c", script)).status
            == 201
        )
        eventually((tmp_path / "files" / "began").exists)
        server.process.send_signal(number)
        eventually(lambda: any("Stopping" in line for line in server.said))
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.2)
        server.process.send_signal(number)
        assert server.ended() == 128 + number
        (tmp_path / "files" / "go").touch()


# --- the database


def test_a_database_that_is_lost_midway_is_a_503_and_nothing_is_lost(
    tmp_path: Path, mariadb: Database
) -> None:
    url = mariadb.create("noonday_lost_midway")
    with plugged_in(mariadb.host, mariadb.port) as cable:
        through = mariadb.url(url.rpartition("/")[2], port=cable.port)
        with serving(tmp_path, database=through) as server:
            every = {"schedule": {"cron": "* * * * * ?"}}
            made = server.call("POST", "/jobs?schedule=true", job("tick", **every))
            assert made.status == 201
            eventually(lambda: instances(server, "tick"))
            cable.pull()
            for method, path, body in [
                ("GET", "/health", None), ("GET", "/jobs", None), ("POST", "/jobs", job("lost")),
                ("POST", "/jobs/tick/suspend", {}), ("DELETE", "/jobs/tick", None),
            ]:  # fmt: skip
                answer = server.call(method, path, body)
                assert (answer.status, answer.body["code"]) == (503, "unavailable")
                assert int(answer.headers["retry-after"]) > 0
            cable.plug()
            eventually(lambda: server.call("GET", "/health").status == 200)
            assert server.call("GET", "/jobs/lost").status == 404
            assert server.call("GET", "/jobs/tick").body["state"] == "SCHEDULED"
            before = len(instances(server, "tick"))
            eventually(lambda: len(instances(server, "tick")) > before + 1)
            found = instances(server, "tick")
    times = [one["nominal_ms"] for one in found]
    assert times == list(range(times[0], times[0] + 1000 * len(times), 1000))
