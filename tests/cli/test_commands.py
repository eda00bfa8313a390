"""Each command sends what REST expects and shows what comes back; exit codes are a promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.documents import (
    INSTANCE_ID,
    NOW,
    a_job,
    a_page,
    a_preview,
    a_problem,
    an_event,
    an_instance,
    an_owner,
)
from tests.cli.stand_in import Answer, StandIn

A_KEY = {"id": "0f1e2d3c4b5a", "use": "signs", "created_by": "ada", "created_ms": NOW}
A_PAUSE = {"paused": True, "since_ms": NOW, "by": "ada", "reason": "a restore"}
YAML = b"name: hello\nschedule:\n  at: 2026-12-24T18:00:00\ntarget: {kind: process}\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "hello.yaml"
    path.write_bytes(YAML)
    return str(path)


def test_submit_sends_the_definition_as_written(run: Run, server: StandIn, file: str) -> None:
    server.on("POST /jobs", a_job(name="hello"), status=201)
    ran = run("job", "submit", file, "--schedule", "--reason", "first")
    assert ran.code == 0
    (asked,) = server.asked
    assert asked.document["schedule"] == {"at": "2026-12-24T18:00:00"}
    assert asked.query == [("schedule", "true"), ("reason", "first")]
    assert ran.out == "submitted and scheduled hello; next: 2026-11-24T07:00:00Z\n"


def test_submit_says_what_a_new_job_waits_for(run: Run, server: StandIn, file: str) -> None:
    server.on("POST /jobs", a_job(name="hello", state="NEW", next_ms=None), status=201)
    assert "noonday job schedule hello" in run("job", "submit", file).out


def test_submit_reads_standard_input_with_several_documents(run: Run, server: StandIn) -> None:
    server.on("POST /jobs", a_job(), status=201)
    ran = run("job", "submit", "-", "-o", "json", stdin=YAML + b"---\n" + YAML)
    assert ran.code == 0
    assert ran.document == a_page(a_job(), a_job())


def test_submit_sends_nothing_when_one_file_cannot_be_read(
    run: Run, server: StandIn, file: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"name: caf\xe9\n")
    ran = run("job", "submit", file, str(bad))
    assert (ran.code, server.asked) == (1, [])
    assert "bad.yaml, line 1, byte 10: 0xe9 is not UTF-8" in ran.err
    assert "save the file as UTF-8" in ran.err


def test_one_refused_job_does_not_hold_up_the_others(run: Run, server: StandIn) -> None:
    problem = {
        "field": "schedule.cron",
        "message": "has 5 fields; put seconds first",
        "value": "* * * * *",
    }
    server.then(
        Answer(400, a_problem(400, "invalid_input", "x; y", problem)),
        Answer(409, a_problem(409, "name_taken", "there is a job hello")),
        Answer(201, a_job(name="hello")),
    )
    ran = run("job", "submit", "-", stdin=b"---\n".join([YAML] * 3))
    assert ran.code == 4
    assert "submitted and scheduled hello" in ran.out
    assert ran.err.splitlines() == [
        "error: standard input, line 1: not accepted, and nothing was changed:",
        '  schedule.cron: has 5 fields; put seconds first (got "* * * * *")',
        "error: standard input, line 6: there is a job hello",
        "hint: noonday job update FILE changes the job that is there",
    ]


def test_a_dry_run_shows_the_fires_and_changes_nothing(
    run: Run, server: StandIn, file: str
) -> None:
    dry = a_preview("2026-12-24T18:00:00+00:00") | {
        "definition": {"name": "hello"},
        "warnings": ["w"],
    }
    server.on("POST /jobs", dry)
    ran = run("job", "submit", file, "--dry-run")
    assert server.asked[0].query == [("dry_run", "true")]
    for part in ("nothing was submitted", "2026-12-24T18:00:00", "warning: w"):
        assert part in ran.out


@pytest.mark.parametrize("verb", ["schedule", "suspend", "resume", "expire"])
def test_the_verb_is_the_same_on_every_floor(run: Run, server: StandIn, verb: str) -> None:
    server.on(f"POST /jobs/daily-revenue/{verb}", a_job())
    ran = run("job", verb, "daily-revenue", "--reason", "why not")
    assert (ran.code, server.asked[0].document) == (0, {"reason": "why not"})
    assert ran.out == "daily-revenue is SCHEDULED; next: 2026-11-24T07:00:00Z\n"


def test_suspend_for_a_while_counts_from_the_servers_time(run: Run, server: StandIn) -> None:
    server.on("GET /health", {"now_ms": NOW})
    server.on("POST /jobs/x/suspend", a_job(state="SUSPENDED"))
    run("job", "suspend", "x", "--until", "2h")
    run("job", "suspend", "x", "--until", "2026-12-01T06:00:00+01:00")
    sent = [asked.document for asked in server.asked if asked.method == "POST"]
    assert sent == [{"until": "2026-11-24T08:00:00Z"}, {"until": "2026-12-01T05:00:00Z"}]


def test_resume_says_what_to_catch_up(run: Run, server: StandIn) -> None:
    server.on("POST /jobs/x/resume", a_job())
    run("job", "resume", "x", "--catch-up", "latest")
    assert server.asked[0].document == {"catch_up": "latest"}


def test_patch_changes_single_fields(run: Run, server: StandIn) -> None:
    server.on("PATCH /jobs/x", a_job())
    changes = ["schedule.cron=null", "schedule.every=PT5M", "policies.retries.max_attempts=3"]
    ran = run("job", "patch", "x", *changes, "target.command=[echo, '1']", "--if-edit", "7")
    assert ran.code == 0
    assert server.asked[0].headers["if-match"] == '"7"'
    assert server.asked[0].document == {
        "schedule": {"cron": None, "every": "PT5M"},
        "policies": {"retries": {"max_attempts": 3}},
        "target": {"command": ["echo", "1"]},
    }
    for wrong in (
        ["a"],
        ["=1"],
        ["a..b=1"],
        ["a=1", "a=2"],
        ["a=1", "a.b=2"],
        ["a=[1"],
        ["a=.nan"],
    ):
        assert run("job", "patch", "x", *wrong).code == 2, wrong
    assert len(server.asked) == 1


def test_an_earlier_revision_can_be_had_again(run: Run, server: StandIn) -> None:
    definition = {"name": "x", "schedule": {"every": "PT5M"}}
    row = {"revision": 2, "created_ms": NOW, "created_by": "bob", "changed": ["schedule.every"]}
    server.on("GET /jobs/x/revisions", a_page(row))
    server.on("GET /jobs/x/revisions/2", {**row, "definition": definition})
    listed = run("job", "revisions", "x").out.splitlines()[1].split()
    assert (listed[0], listed[3]) == ("2", "schedule.every")
    shown = run("job", "show", "x", "--revision", "2").out
    assert "every: PT5M" in shown
    assert "changed     schedule.every" in shown
    only = run("job", "show", "x", "--revision", "2", "--definition").out
    assert only == "name: x\nschedule:\n  every: PT5M\n"
    assert run("job", "show", "x", "--revision", "3").code == 3


def test_delete_asks_and_a_program_must_say_yes(run: Run, server: StandIn) -> None:
    server.on("DELETE /jobs/x", a_job(state="DELETED"))
    refused = run("job", "delete", "x")
    assert (refused.code, server.asked) == (2, [])
    assert "--yes" in refused.err
    assert run("job", "delete", "x", "-y", "--kill").out == "deleted x\n"
    assert server.asked[0].query == [("kill", "true")]


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "invalid_input", 1),
        (401, "unauthenticated", 1),
        (403, "forbidden", 1),
        (404, "not_found", 3),
        (409, "wrong_state", 4),
        (412, "stale_edit", 4),
        (500, "internal_error", 1),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    run: Run, server: StandIn, status: int, code: str, exit_code: int
) -> None:
    server.on("GET /jobs/x", a_problem(status, code, "the server's words"), status=status)
    ran = run("job", "show", "x")
    assert (ran.code, ran.out) == (exit_code, "")
    assert ran.err.startswith("error: the server's words\n")


def test_without_a_token_the_hint_says_where_it_comes_from(run: Run, server: StandIn) -> None:
    server.on("GET /jobs", a_problem(401, "unauthenticated", "a token is needed"), status=401)
    assert "hint: set NOONDAY_TOKEN" in run("job", "list").err


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(
    ("route", "line", "document"),
    [
        ("GET /jobs", "job list", a_page(a_job())),
        ("GET /jobs/x", "job show x", a_job()),
        ("GET /jobs/x/upcoming", "job next x", a_preview("2026-11-24T07:00:00+01:00")),
        ("GET /jobs/x/upcoming", "job upcoming x", a_preview()),
        ("GET /jobs/x/events", "job history x", a_page(an_event())),
        ("POST /jobs/x/trigger", "job trigger x", an_instance()),
        ("GET /instances", "instance list", a_page(an_instance())),
        (f"GET /instances/{INSTANCE_ID}", f"instance show {INSTANCE_ID}", an_instance()),
        (f"POST /instances/{INSTANCE_ID}/kill", f"instance kill {INSTANCE_ID}", an_instance()),
        (f"POST /instances/{INSTANCE_ID}/rerun", f"instance rerun {INSTANCE_ID}", an_instance()),
        (f"POST /instances/{INSTANCE_ID}/skip", f"instance skip {INSTANCE_ID}", an_instance()),
        ("GET /events", "events", a_page(an_event())),
        ("POST /schedule/preview", "schedule explain PT5M", a_preview("x")),
        ("GET /owners", "owner list", a_page({"name": "demo"})),
        ("POST /owners", "owner create demo", {"name": "demo"}),
        ("POST /pause", "pause --reason incident", A_PAUSE),
        ("POST /resume", "resume --reason done", {"paused": False}),
        ("GET /callback-keys", "callback-key list", a_page(A_KEY)),
        ("POST /callback-keys/rotate", "callback-key rotate --revoke --reason x", a_page(A_KEY)),
        ("GET /owners/a", "owner show a", an_owner()),
        ("PATCH /owners/a", "owner set a --max-jobs 7 --max-waiting default", an_owner()),
        ("GET /owners/a/members", "owner members a", a_page({"principal": "p", "role": "viewer"})),
        ("PUT /owners/a/members/p", "owner grant a p viewer", {"principal": "p", "role": "viewer"}),
        ("POST /tokens", "owner token p", {"principal": "p", "token": "t"}),
        ("GET /clock", "clock show", {"now_ms": NOW, "by_hand": True}),
        ("POST /clock", "clock advance 1h", {"now_ms": NOW, "by_hand": True}),
        ("GET /health", "health", {"status": "ok", "now_ms": NOW}),
        ("GET /whoami", "whoami", {"name": "me", "admin": False, "roles": {"demo": "owner"}}),
    ],
)
def test_json_and_yaml_are_the_servers_document(
    run: Run, server: StandIn, route: str, line: str, document: Any, form: str
) -> None:
    server.on(route, document)
    ran = run(*line.split(), "-o", form)
    assert ran.code == 0, ran.err
    if form == "json":
        assert ran.document == document
    else:
        import yaml  # noqa: PLC0415

        assert yaml.safe_load(ran.out) == document
    assert run(*line.split()).code == 0


def test_trigger_reads_parameters_as_they_look(run: Run, server: StandIn) -> None:
    server.on("POST /jobs/x/trigger", an_instance(), status=201)
    pairs = ["--param", "n=5", "--param", "s='5'", "--param", "z=012", "--param", "b=true"]
    ran = run("job", "trigger", "x", *pairs)
    assert ran.code == 0
    assert server.asked[0].document == {"parameters": {"n": 5, "s": "5", "z": "012", "b": True}}
    for wrong in ("n", "=5", "x=.nan"):
        assert run("job", "trigger", "x", "--param", wrong).code == 2


def test_a_nominal_time_without_offset_is_in_the_jobs_zone(run: Run, server: StandIn) -> None:
    server.on("GET /jobs/x", a_job())
    server.on("POST /jobs/x/trigger", an_instance(), status=201)
    run("job", "trigger", "x", "--at", "2026-11-24T07:00:00")
    run("job", "trigger", "x", "--at", "2026-11-24T07:00:00+01:00")
    sent = [asked.document["nominal_time"] for asked in server.asked if asked.method == "POST"]
    assert sent == ["2026-11-24T06:00:00Z", "2026-11-24T07:00:00+01:00"]
    assert run("job", "trigger", "x", "--at", "tomorrow").code == 2


def test_lists_narrow_and_page(run: Run, server: StandIn) -> None:
    server.on("GET /instances", a_page(an_instance(), following="c1"))
    server.on("GET /health", {"now_ms": NOW})
    line = "instance list --job x --state failed --state KILLED --kind manual --from 1h --limit 1"
    ran = run(*line.split(), "--to", "2026-11-24T07:00:00+01:00")
    query = dict(server.asked[-1].query)
    assert query["from"] == "2026-11-24T05:00:00Z"
    assert query["to"] == "2026-11-24T06:00:00Z"
    assert [value for name, value in server.asked[-1].query if name == "state"] == [
        "FAILED",
        "KILLED",
    ]
    assert (query["kind"], query["limit"]) == ("MANUAL", "1")
    assert "--next c1" in ran.err


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("daily-revenue@latest", "/jobs/daily-revenue/instances"),
        ("daily-revenue@2026-11-24T07:00:00", "/instances"),
        ("daily-revenue@2026-11-24T06:00:00Z", "/instances"),
        (INSTANCE_ID[:16], "/instances"),
    ],
)
def test_an_instance_has_many_names(run: Run, server: StandIn, reference: str, asked: str) -> None:
    nominal = int(INSTANCE_ID[:12], 16) if "@" not in reference else NOW
    server.on("GET /jobs/daily-revenue", a_job())
    server.on("GET /jobs/daily-revenue/instances", a_page(an_instance()))
    server.on("GET /instances", a_page(an_instance(), an_instance(id="0" * 32)))
    server.on(f"GET /instances/{INSTANCE_ID}", an_instance())
    ran = run("instance", "show", reference, "-o", "json")
    assert ran.document["id"] == INSTANCE_ID
    (found,) = [each for each in server.asked if each.path == asked]
    if asked == "/instances":
        query = dict(found.query)
        assert (query["from"], query["to"]) == (str(nominal), str(nominal + 1))


def test_an_instance_that_is_not_there_is_3_and_no_name_is_2(run: Run, server: StandIn) -> None:
    server.on("GET /jobs/x", a_job())
    server.on("GET /jobs/x/instances", a_page())
    server.on("GET /instances", a_page())
    assert run("instance", "show", "x@latest").code == 3
    assert run("instance", "show", "x@2026-11-24T06:00:00Z").code == 3
    assert run("instance", "show", INSTANCE_ID[:16]).code == 3
    ran = run("instance", "show", "x@lates")
    assert ran.code == 2
    assert "write x@latest, or x@2026-11-24T06:00:00Z" in ran.err
    assert run("instance", "show", "x").code == 2
    server.on("GET /instances", a_page(an_instance(), an_instance(id=INSTANCE_ID[:20] + "0" * 12)))
    assert "2 instances begin with" in run("instance", "show", INSTANCE_ID[:16]).err


def test_logs_and_results_come_byte_by_byte(run: Run, server: StandIn, tmp_path: Path) -> None:
    content = b"a,b\r\n\xff\x00\n"
    server.on(f"GET /instances/{INSTANCE_ID}/result", body=content)
    server.on(f"GET /instances/{INSTANCE_ID}/logs", body=b"line 1\nline 2")
    target = tmp_path / "out.csv"
    ran = run("instance", "result", INSTANCE_ID, "--run", "2", "--to", str(target))
    assert (ran.code, target.read_bytes()) == (0, content)
    assert server.asked[0].query == [("run", "2")]
    assert run("instance", "logs", INSTANCE_ID).out == "line 1\nline 2"
    assert run("instance", "result", INSTANCE_ID, "--to", "/nowhere/x").code == 1
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("0 0 6 ? * MON-FRI", {"cron": "0 0 6 ? * MON-FRI"}),
        ("pt15m", {"every": "PT15M"}),
        ("daily", {"frequency": "DAILY"}),
        ("2026-12-24T18:00:00", {"at": "2026-12-24T18:00:00"}),
        ("P", {"cron": "P"}),
    ],
)
def test_explain_knows_the_kinds_of_schedule(
    run: Run, server: StandIn, expression: str, field: dict[str, str]
) -> None:
    server.on("POST /schedule/preview", a_preview("x"))
    ran = run("schedule", "explain", expression, "--timezone", "Europe/Berlin", "--dst-gap", "skip")
    assert server.asked[0].document == {
        "schedule": field | {"timezone": "Europe/Berlin", "dst_gap": "skip"},
        "count": 5,
    }
    assert ran.out.startswith("At 06:00:00")


def test_the_clock_moves_once(run: Run, server: StandIn) -> None:
    server.on("POST /clock", {"now_ms": NOW, "by_hand": True})
    assert run("clock", "advance", "90m").out == "2026-11-24T06:00:00Z, moved by hand\n"
    run("clock", "advance", "PT1H30M")
    run("clock", "set", "2026-11-24T07:00:00+01:00")
    sent = [asked.document for asked in server.asked]
    assert sent == [{"advance": "PT5400S"}, {"advance": "PT1H30M"}, {"now": "2026-11-24T06:00:00Z"}]
    assert "idempotency-key" not in server.asked[0].headers
    assert run("clock", "advance", "soon").code == 2


def test_the_owner_of_the_command_wins(
    run: Run, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET /jobs/x", a_job())
    monkeypatch.setenv("NOONDAY_OWNER", "from-environment")
    run("job", "show", "x")
    run("--owner", "from-root", "job", "show", "x")
    run("--owner", "from-root", "job", "show", "x", "--owner", "from-command")
    owners = [asked.headers["x-noonday-owner"] for asked in server.asked if asked.path == "/jobs/x"]
    assert owners == ["from-environment", "from-root", "from-command"]


def test_a_defect_is_confessed_without_a_stack(run: Run, server: StandIn) -> None:
    server.on("GET /jobs/x", [1, 2])
    ran = run("job", "show", "x")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert ran.err.startswith("error: ")


def test_a_sick_server_is_1(run: Run, server: StandIn) -> None:
    server.on("GET /health", {"status": "degraded"})
    assert run("health").code == 1


def test_a_pause_is_told_wherever_something_waits(run: Run, server: StandIn) -> None:
    paused = {key: value for key, value in A_PAUSE.items() if key != "paused"}
    server.on("GET /jobs", {**a_page(a_job()), "paused": paused})
    server.on("GET /health", {"status": "ok", "paused": True})
    server.on("GET /pause", A_PAUSE)
    said = "everything is paused since 2026-11-24T06:00:00Z by ada: a restore"
    listed = run("job", "list")
    assert f"{said}; noonday resume goes on" in listed.err
    assert said not in listed.out
    assert said in run("health").out
    assert "paused since" not in run("job", "list", "-o", "json").err
    server.on("POST /pause", A_PAUSE)
    assert run("pause", "--reason", "a restore").out == f"{said}\n"
    assert server.asked[-1].document == {"reason": "a restore"}


def test_limits_of_an_owner(run: Run, server: StandIn) -> None:
    server.on("PATCH /owners/a", an_owner())
    ran = run("owner", "set", "a", "--max-jobs", "7", "--max-waiting", "default")
    assert server.asked[-1].document == {"max_jobs": 7, "max_waiting": None}
    assert ran.out.splitlines()[1].split() == ["max_jobs", "5", "7", "this", "owner"]
    assert "the default" in ran.out
    assert run("owner", "set", "a").code == 2
    assert run("owner", "set", "a", "--max-jobs", "many").code == 2
    assert len(server.asked) == 1
