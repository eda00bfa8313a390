"""A stand-in for the server, and a way to run a command line as the shell would."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.cli.stand_in import StandIn
from tests.local.server import Server, serving


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]
Noonday = Callable[..., Ran]
TOKEN = {"NOONDAY_TOKEN": "0123456789abcdef0123456789abcdef"}


def ok(ran: Ran) -> Ran:
    assert ran.code == 0, f"{ran.code}: {ran.out}{ran.err}"
    return ran


@pytest.fixture
def server() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the profile of the person who runs it."""
    for name in ("URL", "TOKEN", "OWNER", "PROFILE", "DEBUG"):
        monkeypatch.delenv(f"NOONDAY_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def run(
    server: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run ``noonday ARGUMENTS`` against the stand-in."""
    monkeypatch.setenv("NOONDAY_URL", server.url)
    monkeypatch.setenv("NOONDAY_TOKEN", "secret")

    def run_it(*arguments: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run_it


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose clock is moved by hand; it begins on a Tuesday at six in the morning, UTC."""
    folder = tmp_path_factory.mktemp("still")
    with serving(folder, "--clock", "2026-11-24T06:00:00Z", environ=TOKEN) as running:
        yield running


@pytest.fixture
def to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Server], Noonday]:
    """``to(server)("job", "list")`` runs the command line against that server."""

    def bind(server: Server) -> Noonday:
        monkeypatch.setenv("NOONDAY_URL", server.url)
        monkeypatch.setenv("NOONDAY_TOKEN", server.token)

        def run(*arguments: str) -> Ran:
            capsys.readouterr()
            code = main(arguments)
            captured = capsys.readouterr()
            return Ran(code, captured.out, captured.err)

        return run

    return bind
