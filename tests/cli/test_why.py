"""Why, and data that arrived, against the real server: what a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import main
from cli.screen import Screen
from cli.why import job_why_lines, why_lines
from tests.cli.conftest import Ran
from tests.local.server import Server, serving

JOB = """
name: report
schedule: {at: 2026-11-24T07:00:00}
prerequisites:
  - data: orders/${nominal_time:%Y/%m/%d}/_SUCCESS
target: {kind: process, command: [echo, done]}
"""
TOKEN = {"NOONDAY_TOKEN": "0123456789abcdef0123456789abcdef"}


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("still")
    with serving(folder, "--clock", "2026-11-24T06:00:00Z", environ=TOKEN) as running:
        yield running


@pytest.fixture
def noonday(
    still: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    monkeypatch.setenv("NOONDAY_URL", still.url)
    monkeypatch.setenv("NOONDAY_TOKEN", still.token)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def test_a_person_asks_why_brings_the_data_and_says_so(
    still: Server, noonday: Callable[..., Ran], tmp_path: Path
) -> None:
    file = tmp_path / "report.yaml"
    file.write_text(JOB)
    assert noonday("job", "submit", str(file), "--schedule").code == 0
    assert "fires next at 07:00 UTC, in 1 h" in noonday("job", "why", "report").out
    noonday("clock", "advance", "PT90M")
    ran = noonday("instance", "why", "report@latest")
    assert ran.code == 0, ran.err
    assert "report at 2026-11-24T07:00:00Z  WAITING" in ran.out
    assert "waits for orders/2026/11/24/_SUCCESS (there is no such file), checked" in ran.out
    assert "gives up at 07:00 UTC tomorrow" in ran.out
    assert "waits for orders/2026/11/24/_SUCCESS" in noonday("job", "why", "report").out
    assert "waiting on" in noonday("instance", "show", "report@latest").out
    ready = still.folder / "files/orders/2026/11/24/_SUCCESS"
    ready.parent.mkdir(parents=True)
    ready.touch()
    assert noonday("data", "arrived", "nobody/waits").out == "nobody waits for that\n"
    told = noonday("data", "arrived", "orders/2026/11/24/_SUCCESS")
    assert told.out == "1 instance is checked now\n"
    noonday("clock", "advance", "PT1S")
    ran = noonday("instance", "why", "report@latest")
    assert "succeeded at 07:30" in ran.out
    again = noonday("instance", "rerun", "report@latest", "--ignore-prerequisites", "--wait")
    assert again.code == 0
    one = noonday("instance", "why", "report@latest", "-o", "json")
    assert one.document["state"] == "SUCCEEDED"
    assert noonday("data", "arrived", "/abs").code == 1
    assert noonday("data", "arrived").code == 2
    assert noonday("instance", "why", "0" * 32).code == 3


def test_sentences_wrap_on_a_terminal_and_are_never_cut() -> None:
    screen = Screen(columns=40, colour=False, zone=None, now_ms=None)
    why = "waits for " + "orders/2026/11/24/_SUCCESS and " * 4 + "\x1b[31mthe end"
    document = {
        "name": "report",
        "state": "WAITING",
        "why": why,
        "findings": [{"what": "a", "met": False, "found": "no"}],
        "holders": [{"instance_id": "0" * 32, "name": "b", "state": "RUNNING", "nominal_ms": 0}],
    }
    lines = list(why_lines(document, screen))
    assert all(len(line) <= 40 for line in lines)
    assert "the end" in "".join(lines)
    assert not any("\x1b" in line for line in lines)
    assert list(job_why_lines({"name": "j", "state": "NEW", "why": "x", "lately": ["y"]}, screen)) == [
        "j  NEW", "  x", "  y",
    ]  # fmt: skip
