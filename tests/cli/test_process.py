"""The command as the shell runs it: exit codes, pipes that close, Ctrl-C, no stack trace anywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.documents import INSTANCE_ID, a_job, a_page, an_instance
from tests.cli.stand_in import Answer, Asked, StandIn

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(server: StandIn, home: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOONDAY")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "NOONDAY_URL": server.url,
        "NOONDAY_TOKEN": "t",
        "XDG_CONFIG_HOME": str(home),
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli.main", *arguments]


def test_a_reader_that_leaves_is_no_error_to_talk_about(
    server: StandIn, environment: Mapping[str, str]
) -> None:
    many = [a_job(name=f"job-{number}") for number in range(50)]
    server.on("GET /jobs", a_page(*many))
    process = subprocess.Popen(
        command("job", "list", "-o", "json"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == b""
    assert process.wait(30) != 0


def _hearing_ctrl_c() -> None:
    """A shell starts what it sends to the background deaf to it, and deafness is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_while_waiting_leaves_the_run_going(
    server: StandIn, environment: Mapping[str, str]
) -> None:
    process = subprocess.Popen(
        command("instance", "show", INSTANCE_ID, "--wait"),
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hearing_ctrl_c,  # noqa: PLW1509 - nothing is locked by a thread of this process here
    )

    def interrupt(_: Asked) -> Answer:
        process.send_signal(signal.SIGINT)
        return Answer(document=an_instance(state="RUNNING"))

    server.routes["GET", f"/instances/{INSTANCE_ID}"] = interrupt
    assert process.stderr
    with process.stderr as stderr:
        said = stderr.read()
    assert process.wait(30) == 130
    assert "the run goes on" in said
    assert "Traceback" not in said
    assert {asked.method for asked in server.asked} == {"GET"}


def test_a_full_disk_is_named(server: StandIn, environment: Mapping[str, str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    server.on("GET /jobs", a_page(a_job()))
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            command("job", "list"),
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode != 0
    assert "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_escape_codes_in_a_pipe(
    server: StandIn, environment: Mapping[str, str], no_color: str
) -> None:
    server.on("GET /jobs", a_page(a_job()))
    for line in (["job", "list"], ["job", "show", "nobody"]):
        ended = subprocess.run(
            command(*line),
            env={**environment, "NO_COLOR": no_color},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "\x1b" not in ended.stdout + ended.stderr
