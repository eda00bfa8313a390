"""The command line against the real server, in a process of its own: what a person does, in order."""

from __future__ import annotations

import shlex
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import TOKEN, Noonday, ok
from tests.local.server import Server, serving

GREET = """
name: {name}
description: Says hello
parameters: {{who: world}}
schedule: {{cron: "0 0 6 ? * MON-FRI", timezone: Europe/Berlin}}
target: {{kind: process, command: [{command}]}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), environ=TOKEN) as running:
        yield running


@pytest.fixture
def noonday(to: Callable[[Server], Noonday], server: Server) -> Noonday:
    return to(server)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """``write("greet")`` is the file of a job that says hello; ``command`` is what it does instead."""

    def write_it(name: str, command: str = 'echo, "hello ${parameters.who}"') -> str:
        file = tmp_path / f"{name}.yaml"
        file.write_text(GREET.format(name=name, command=command))
        return str(file)

    return write_it


def test_the_server_is_found_by_the_profile_it_wrote(
    noonday: Noonday, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = Path(server.environ["XDG_CONFIG_HOME"]) / "noonday" / "profiles.json"
    # It is written while the server says where it serves; whoever is quicker has to look again.
    for _ in range(500):
        if profile.exists():
            break
        threading.Event().wait(0.01)
    monkeypatch.setenv("XDG_CONFIG_HOME", server.environ["XDG_CONFIG_HOME"])
    monkeypatch.delenv("NOONDAY_URL")
    monkeypatch.delenv("NOONDAY_TOKEN")
    assert server.url in ok(noonday("config", "show")).out
    assert ok(noonday("whoami", "-o", "json")).document["admin"] is True
    assert ok(noonday("health")).out.startswith("status")


def test_a_first_job_from_its_file_to_its_log(noonday: Noonday, write: Callable[..., str]) -> None:
    file = write("greet")
    dry = ok(noonday("job", "submit", file, "--dry-run"))
    assert "nothing was submitted" in dry.out
    assert noonday("job", "show", "greet").code == 3
    assert "noonday job schedule greet" in ok(noonday("job", "submit", file)).out
    ran = ok(noonday("job", "trigger", "greet", "--wait", "--param", "who=noon", "-o", "json"))
    assert ran.document["state"] == "SUCCEEDED"
    assert "greet run 1 SUCCEEDED" in ran.err
    instance = ran.document["id"]
    assert ok(noonday("instance", "logs", "greet@latest")).out == "hello noon\n"
    assert ok(noonday("instance", "logs", instance[:16], "--follow")).out == "hello noon\n"
    for reference in (
        instance,
        instance[:16],
        "greet@latest",
        f"greet@{ran.document['nominal_time']}",
    ):
        shown = ok(noonday("instance", "show", reference, "-o", "json"))
        assert shown.document["id"] == instance
    assert "who=noon" in ok(noonday("instance", "show", instance)).out
    assert instance in ok(noonday("instance", "list", "--job", "greet", "--state", "succeeded")).out
    assert "no instances" not in ok(noonday("instance", "list", "--from", "1h")).out


def test_a_run_that_fails_is_5_and_tells_why(noonday: Noonday, write: Callable[..., str]) -> None:
    ok(noonday("job", "submit", write("fails", 'sh, -c, "echo no luck; exit 3"')))
    ran = noonday("job", "trigger", "fails", "--wait")
    assert ran.code == 5
    assert "FAILED" in ran.out
    assert "did not succeed" in ran.err
    assert ok(noonday("instance", "logs", "fails@latest")).out == "no luck\n"
    assert noonday("instance", "show", "fails@latest", "--wait").code == 5
    assert noonday("instance", "skip", "fails@latest").code == 4
    again = noonday("instance", "rerun", "fails@latest", "--original", "--wait", "--reason", "try")
    assert again.code == 5
    assert "runs:" in again.out
    assert ok(noonday("instance", "logs", "fails@latest", "--run", "1")).out == "no luck\n"


def test_a_run_can_be_killed(noonday: Noonday, write: Callable[..., str]) -> None:
    ok(noonday("job", "submit", write("sleeps", 'sleep, "600"')))
    ok(noonday("job", "trigger", "sleeps"))
    killed = ok(noonday("instance", "kill", "sleeps@latest", "--reason", "enough", "--wait"))
    assert killed.out.startswith("killed: sleeps run 1 KILLED")
    assert noonday("instance", "kill", "sleeps@latest").code in {0, 4}


def test_a_job_is_commanded_and_remembers_it(noonday: Noonday, write: Callable[..., str]) -> None:
    ok(noonday("job", "submit", write("ruled"), "--schedule"))
    assert (
        "is SUSPENDED"
        in ok(noonday("job", "suspend", "ruled", "--reason", "why", "--until", "2h")).out
    )
    shown = ok(noonday("job", "show", "ruled")).out
    assert ": why" in shown
    assert "until" in shown
    assert "is SCHEDULED" in ok(noonday("job", "resume", "ruled", "--catch-up", "none")).out
    assert "is EXPIRED" in ok(noonday("job", "expire", "ruled")).out
    assert "is SCHEDULED" in ok(noonday("job", "schedule", "ruled")).out
    assert noonday("job", "resume", "nobody").code == 3
    history = ok(noonday("job", "history", "ruled", "-o", "json")).document["items"]
    assert [event["verb"] for event in history][-1] == "SUBMIT"
    assert {"SUSPEND", "RESUME", "EXPIRE", "SCHEDULE"} <= {event["verb"] for event in history}
    assert "why" in ok(noonday("job", "history", "ruled", "--verb", "suspend", "--from", "1h")).out
    assert "ruled" in ok(noonday("job", "list", "--state", "SCHEDULED", "--name", "rul")).out
    assert "deleted ruled" in ok(noonday("job", "delete", "ruled", "--yes")).out
    assert noonday("job", "show", "ruled").code == 3
    assert "DELETE" in ok(noonday("events", "--verb", "DELETE")).out


def test_a_definition_changes_only_from_what_was_seen(
    noonday: Noonday, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write("changes")
    before = ok(noonday("job", "submit", file, "-o", "json")).document
    ok(noonday("job", "patch", "changes", "description=patched", "parameters.who=you"))
    assert noonday("job", "update", file, "--if-edit", str(before["edit"])).code == 4
    editor = tmp_path / "editor.sh"
    editor.write_text('sed -i "s/patched/edited/" "$1"')
    monkeypatch.setenv("VISUAL", f"sh {editor}")
    assert "revision 3" in ok(noonday("job", "edit", "changes")).out
    kept = tmp_path / "kept.yaml"
    kept.write_text(ok(noonday("job", "show", "changes", "--definition")).out)
    assert "edited" in kept.read_text()
    ok(noonday("job", "update", str(kept)))
    rows = ok(noonday("job", "revisions", "changes", "-o", "json")).document["items"]
    assert {row["revision"] for row in rows} >= {1, 2, 3}
    assert "Says hello" in ok(noonday("job", "show", "changes", "--revision", "1")).out
    last = ok(noonday("job", "diff", "changes")).out
    assert "-description: patched\n+description: edited\n" in last
    since = noonday("job", "diff", "changes", "1", "3", "--exit-code")
    assert since.code == 6
    assert "+  who: you" in since.out
    assert noonday("job", "diff", "changes", "3", "3", "--exit-code").code == 0
    assert noonday("job", "diff", "changes", "1", "9").code == 3
    planned = ok(noonday("job", "rollback", "changes", "--to", "1", "--dry-run")).out
    assert "+description: Says hello" in planned
    assert "again: revision 4" in ok(noonday("job", "rollback", "changes", "--to", "1")).out
    assert "nothing changed" in ok(noonday("job", "rollback", "changes", "--to", "1")).out
    listed = ok(noonday("job", "revisions", "changes")).out.splitlines()
    assert listed[1].split()[0] == "4"
    assert listed[1].endswith("back to revision 1")
    assert "changed description" in ok(noonday("job", "history", "changes")).out


def test_what_is_refused_is_named_and_changes_nothing(
    noonday: Noonday, write: Callable[..., str], tmp_path: Path
) -> None:
    ok(noonday("job", "submit", write("taken")))
    taken = noonday("job", "submit", write("taken"))
    assert taken.code == 4
    assert "noonday job update" in taken.err
    assert noonday("job", "resume", "taken").code == 4
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "name: Bad Name\nschedule: {cron: 61 * * * * ?}\ntarget: {kind: nothing}\nextra: 1\n"
    )
    refused = noonday("job", "submit", str(bad))
    assert refused.code == 1
    lines = refused.err.splitlines()
    assert lines[0].endswith("not accepted, and nothing was changed:")
    for field in ("name", "extra"):
        assert any(line.startswith(f"  {field}: ") for line in lines), refused.err
    assert "Traceback" not in refused.err
    assert ok(noonday("job", "list", "--name", "bad", "-o", "json")).document["items"] == []


def test_the_definition_in_the_help_is_one(noonday: Noonday, tmp_path: Path) -> None:
    shown = ok(noonday("job", "submit", "--help")).out
    file = tmp_path / "shown.yaml"
    file.write_text(
        textwrap.dedent(shown.partition("A short definition:\n")[2].partition("\n\n")[0])
    )
    assert "hello would be accepted" in ok(noonday("job", "submit", str(file), "--dry-run")).out


def test_a_schedule_is_tried_before_a_job_has_it(noonday: Noonday) -> None:
    at = ["--after", "2026-11-24T00:00:00Z", "--count", "2"]
    explained = ok(
        noonday("schedule", "explain", "0 0 6 ? * MON-FRI", "--timezone", "Europe/Berlin", *at)
    )
    assert "2026-11-24T06:00:00+01:00" in explained.out
    assert "2026-11-25T05:00:00Z" in explained.out
    for expression in ("PT15M", "DAILY", "2036-12-24T18:00:00"):
        ok(noonday("schedule", "explain", expression))
    for line in noonday("schedule", "explain", "--help").out.partition("Examples:")[2].splitlines():
        if line.strip().startswith("noonday "):
            ok(noonday(*shlex.split(line)[1:]))
    refused = noonday("schedule", "explain", "0 0 25 * * ?")
    assert refused.code == 1
    assert "schedule.cron" in refused.err


def test_another_person_sees_what_their_role_allows(
    noonday: Noonday, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(noonday("owner", "create", "finance"))
    ok(noonday("owner", "grant", "finance", "alice", "viewer"))
    ok(noonday("job", "submit", write("budget"), "--owner", "finance"))
    ok(noonday("job", "submit", write("private")))
    token = ok(noonday("owner", "token", "alice")).out.strip()
    assert "alice" in ok(noonday("owner", "members", "finance")).out
    assert "finance" in ok(noonday("owner", "list")).out
    monkeypatch.setenv("NOONDAY_TOKEN", token)
    assert ok(noonday("whoami", "-o", "json")).document["roles"] == {"finance": "viewer"}
    ok(noonday("job", "show", "budget"))
    assert noonday("job", "show", "private").code == 3
    assert noonday("job", "suspend", "budget").code == 1
    monkeypatch.setenv("NOONDAY_TOKEN", "wrong")
    refused = noonday("job", "list")
    assert refused.code == 1
    assert "hint: " in refused.err


def test_a_clock_that_moves_by_itself_is_not_moved(noonday: Noonday) -> None:
    assert ok(noonday("clock", "show", "-o", "json")).document["by_hand"] is False
    assert noonday("clock", "advance", "1h").code == 4


def test_a_job_fires_as_the_clock_is_moved(
    to: Callable[[Server], Noonday], still: Server, write: Callable[..., str]
) -> None:
    noonday = to(still)
    file = Path(write("tick"))
    file.write_text(file.read_text().replace('cron: "0 0 6 ? * MON-FRI"', "every: PT1H"))
    ok(noonday("job", "submit", str(file), "--schedule"))
    assert "2026-11-24T07:00:00Z" in ok(noonday("job", "next", "tick", "--count", "2")).out
    ok(noonday("clock", "advance", "2h"))
    # A time without an offset is in the job's zone: eight in Berlin is seven in UTC.
    seven = ok(noonday("instance", "show", "tick@2026-11-24T08:00:00", "--wait", "-o", "json"))
    assert seven.document["nominal_time"] == "2026-11-24T07:00:00Z"
    ok(noonday("job", "suspend", "tick"))
    ok(noonday("clock", "set", "2026-11-24T12:30:00Z"))
    ok(noonday("job", "resume", "tick", "--catch-up", "latest"))
    ok(noonday("instance", "show", "tick@2026-11-24T12:00:00Z", "--wait"))
    times = [
        row["nominal_time"][11:13]
        for row in ok(noonday("instance", "list", "--job", "tick", "-o", "json")).document["items"]
    ]
    assert times == ["12", "08", "07", "06"]


def test_a_calendar_keeps_a_job_from_firing(
    still: Server, to: Callable[[Server], Noonday], tmp_path: Path
) -> None:
    noonday = to(still)
    holidays = tmp_path / "holidays.ics"
    holidays.write_text(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nRRULE:FREQ=YEARLY\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    job = tmp_path / "job.yaml"
    job.write_text(
        "name: but-at-christmas\n"
        "schedule: {cron: '0 0 6 24-26 12 ?', exclude: [holidays], roll: skip}\n"
        "target: {kind: process, command: ['true']}\n"
    )
    unknown = noonday("job", "submit", str(job))
    assert unknown.code == 1
    assert "schedule.exclude" in unknown.err
    assert noonday("calendar", "set", "holidays", str(holidays)).code == 0
    assert "12-25" in noonday("calendar", "show", "holidays").out
    assert "1 yearly" in noonday("calendar", "list").out
    assert noonday("job", "submit", str(job), "--schedule").code == 0
    upcoming = noonday("job", "next", "but-at-christmas", "--count", "3").out
    assert "2026-12-24T06:00:00Z" in upcoming
    [excluded] = [line for line in upcoming.splitlines() if "2026-12-25" in line]
    assert "holidays" in excluded
    in_use = noonday("calendar", "delete", "holidays")
    assert in_use.code == 4
    assert "but-at-christmas" in in_use.err
    assert noonday("job", "delete", "but-at-christmas", "--yes").code == 0
    assert noonday("calendar", "delete", "holidays").code == 0
    assert noonday("calendar", "show", "holidays").code == 3


PAST = """
name: {name}
schedule: {{every: PT1H, start: 2026-11-20T00:00:00Z}}
target: {{kind: process, command: [{command}]}}
policies: {{catch_up: none}}
"""


def test_a_backfill_is_planned_watched_and_shown(
    to: Callable[[Server], Noonday], still: Server, tmp_path: Path
) -> None:
    noonday = to(still)
    file = tmp_path / "past.yaml"
    file.write_text(PAST.format(name="past", command='sh, -c, "test ${run} = 2"'))
    ok(noonday("job", "submit", str(file), "--schedule"))
    day = ("--from", "2026-11-20", "--to", "2026-11-20T05:00:00")
    planned = ok(noonday("backfill", "create", "past", *day, "--dry-run"))
    assert "5 nominal times: 5 to create, 0 to rerun, 0 exist" in planned.out
    failed = noonday("backfill", "create", "past", *day, "--max-active", "2", "--wait")
    assert failed.code == 5
    assert "5 of 5 did not succeed" in failed.err
    assert "100% of 5, 5 failed" in failed.err
    again = noonday("backfill", "create", "past", *day, "--reprocess", "failed", "--wait")
    assert "5 rerun" in ok(again).out
    assert "COMPLETED" in ok(noonday("backfill", "show", "past@latest")).out
    listed = ok(noonday("backfill", "list", "--job", "past", "-o", "json")).document["items"]
    assert [one["instances"] for one in listed] == [{"SUCCEEDED": 5}, {}]
    refused = noonday("backfill", "cancel", "past@latest")
    assert refused.code == 4
    ahead = noonday("backfill", "create", "past", "--from", "2026-11-20", "--to", "2027-01-01")
    assert ahead.code == 1
    assert "lies ahead: it is 2026-11-24T" in ahead.err


def test_how_well_it_went(noonday: Noonday, write: Callable[..., str]) -> None:
    ok(noonday("job", "submit", write("well")))
    ok(noonday("job", "trigger", "well", "--wait"))
    ok(noonday("job", "submit", write("ill", 'sh, -c, "exit 3"')))
    assert noonday("job", "trigger", "ill", "--wait").code == 5
    table = ok(noonday("stats", "--by", "job")).out
    rows = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    assert "100.0 %" in rows["well"]
    assert " 0.0 %" in rows["ill"]
    told = ok(noonday("stats", "ill", "-o", "json")).document
    assert told["total"]["states"] == {"FAILED": 1}
    assert (told["failures_in_a_row"], told["sample"]["cut"]) == (1, False)
    assert noonday("stats", "nobody").code == 3
