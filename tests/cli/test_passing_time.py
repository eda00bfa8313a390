"""What people do to jobs whose times have passed, and while others change them, on the real server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Noonday, ok
from tests.local.server import ROOT, Server

TICK = """
name: {name}
schedule: {{every: PT1M, start: 2026-11-24T06:00:00Z{end}}}
target: {{kind: process, command: ['true']}}
policies: {{catch_up: {{limit: 5}}}}
"""


@pytest.fixture
def noonday(to: Callable[[Server], Noonday], still: Server) -> Noonday:
    return to(still)


def submitted(noonday: Noonday, folder: Path, name: str, end: str = "") -> None:
    file = folder / f"{name}.yaml"
    file.write_text(TICK.format(name=name, end=f", end: {end}" if end else ""))
    ok(noonday("job", "submit", str(file), "--schedule"))


def minutes(noonday: Noonday, name: str) -> list[int]:
    """Of the hour, of the nominal times that have an instance; all of them succeeded."""
    rows = ok(noonday("instance", "list", "--job", name, "--all", "-o", "json")).document["items"]
    assert {row["state"] for row in rows} <= {"SUCCEEDED"}, rows
    return sorted(int(row["nominal_time"][14:16]) for row in rows)


def test_a_resume_catches_up_with_what_the_suspension_missed(
    noonday: Noonday, tmp_path: Path
) -> None:
    for name in ("all", "latest", "none"):
        submitted(noonday, tmp_path, f"missed-{name}")
    ok(noonday("job", "suspend", "--name", "missed-", "--yes"))
    ok(noonday("clock", "advance", "PT10M30S"))
    for name in ("all", "latest", "none"):
        ok(noonday("job", "resume", f"missed-{name}", "--catch-up", name))
    ok(noonday("clock", "advance", "60s"))
    assert minutes(noonday, "missed-all") == [0, 6, 7, 8, 9, 10, 11], "the newest five, as policy"
    assert minutes(noonday, "missed-latest") == [0, 10, 11]
    assert minutes(noonday, "missed-none") == [0, 11]
    skipped = ok(noonday("job", "skips", "missed-all")).out
    assert "CATCH_UP_LIMIT" in skipped
    ok(noonday("job", "delete", "--name", "missed-", "--yes"))


def test_a_job_that_has_expired_gets_a_later_end_and_goes_on(
    noonday: Noonday, tmp_path: Path
) -> None:
    now = ok(noonday("clock", "show")).out[:16]
    hour, minute = now[:14], int(now[14:16])
    end = f"{hour}{minute + 2:02}:00Z"
    submitted(noonday, tmp_path, "ends", end)
    ok(noonday("clock", "advance", "5m"))
    assert ok(noonday("job", "show", "ends", "-o", "json")).document["state"] == "EXPIRED"
    refused = noonday("job", "schedule", "ends")
    assert refused.code == 4
    assert "end" in refused.err
    before = minutes(noonday, "ends")
    later = ok(noonday("job", "patch", "ends", f"schedule.end={hour}{minute + 9:02}:00Z"))
    assert "revision 2" in later.out
    assert ok(noonday("job", "show", "ends", "-o", "json")).document["state"] == "EXPIRED"
    assert "is SCHEDULED" in ok(noonday("job", "schedule", "ends", "--reason", "longer")).out
    ok(noonday("clock", "advance", "10m"))
    made = minutes(noonday, "ends")
    assert made == [*before, *range(minute + 6, minute + 9)], "nothing of the time it was over"
    assert "EXPIRED" in ok(noonday("job", "skips", "ends")).out
    assert ok(noonday("job", "show", "ends", "-o", "json")).document["state"] == "EXPIRED"


def test_an_edit_overwrites_nothing_that_somebody_else_changed_meanwhile(
    noonday: Noonday, still: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(noonday, tmp_path, "both-edit")
    theirs = f"{sys.executable} -m cli.main job patch both-edit description=theirs"
    editor = tmp_path / "editor.sh"
    editor.write_text(f'(cd {ROOT} && {theirs}) >&2 && echo "description: mine" >> "$1"\n')
    monkeypatch.setenv("VISUAL", f"sh {editor}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lost = noonday("job", "edit", "both-edit")
    assert lost.code == 4
    assert "your text is kept in" in lost.err
    [kept] = [file.read_text() for file in tmp_path.glob("noonday-*.yaml")]
    assert kept.endswith("description: mine\n")
    shown = ok(noonday("job", "show", "both-edit", "-o", "json")).document
    assert (shown["definition"]["description"], shown["revision"]) == ("theirs", 2)
    assert still.process.poll() is None
