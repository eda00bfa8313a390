"""Profiles: what make run writes is found, what is set is kept, and tokens stay where they belong."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cli.main import main
from tests.cli.conftest import Run
from tests.cli.stand_in import StandIn


@pytest.fixture
def file(home: Path) -> Path:
    path = home / "config" / "noonday" / "profiles.json"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def local(file: Path, server: StandIn) -> StandIn:
    """The stand-in, as ``make run`` would have announced it."""
    profile = {"url": server.url, "token": "from-profile", "owner": None}
    file.write_text(json.dumps({"current": "local", "profiles": {"local": profile}}))
    server.on("GET /whoami", {"name": "me"})
    return server


def test_what_make_run_wrote_is_used(local: StandIn) -> None:
    assert main(["whoami"]) == 0
    assert local.asked[0].headers["authorization"] == "Bearer from-profile"
    assert "x-noonday-owner" not in local.asked[0].headers


def test_the_environment_comes_first(local: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOONDAY_TOKEN", "from-environment")
    assert main(["whoami"]) == 0
    assert local.asked[0].headers["authorization"] == "Bearer from-environment"


def test_a_profiles_token_is_not_sent_elsewhere(file: Path, server: StandIn) -> None:
    profile = {"url": "https://noonday.example.com", "token": "secret", "owner": None}
    file.write_text(json.dumps({"current": "prod", "profiles": {"prod": profile}}))
    server.on("GET /whoami", {"name": "nobody"})
    assert main(["--url", server.url, "whoami"]) == 0
    assert "authorization" not in server.asked[0].headers


def test_what_is_set_is_kept_and_only_its_owner_reads_it(
    run: Run, home: Path, server: StandIn
) -> None:
    path = home / "config" / "noonday" / "profiles.json"
    assert run("--profile", "prod", "config", "set", "url", "https://x.example").code == 0
    assert run("--profile", "prod", "config", "set", "token", stdin=b"secret\n").code == 0
    assert run("config", "use", "prod").code == 0
    assert json.loads(path.read_text()) == {
        "current": "prod",
        "profiles": {"prod": {"url": "https://x.example", "token": "secret", "owner": None}},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = run("config", "show").out
    assert server.url in shown
    assert "secret" not in shown
    assert "prod (current)" in shown


def test_what_does_not_make_sense_is_not_kept(run: Run, home: Path) -> None:
    assert run("config", "use", "nowhere").code == 2
    assert run("config", "set", "url", "localhost").code == 2
    assert run("config", "set", "token", stdin=b"\n").code == 2
    assert run("--profile", "nowhere", "job", "list").code == 2
    assert not (home / "config").exists()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff", b'{"profiles": {"x": 1}}', b'{"profiles": {"x": {"url": 1}}}']
)
def test_a_broken_file_is_named(
    file: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)
    assert main(["config", "show"]) == 1
    shown = capsys.readouterr().err
    assert str(file) in shown
    assert "hint: " in shown


def test_help_needs_no_profile(file: Path) -> None:
    file.write_bytes(b"{")
    assert main(["job", "submit", "--help"]) == 0
