"""The shell completes commands, options and job names, and never complains."""

from __future__ import annotations

import pytest

from cli.main import noonday
from tests.cli.conftest import Run
from tests.cli.documents import a_job, a_page
from tests.cli.stand_in import StandIn


def completed(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What the shell would offer for the last of the words, as its script asks for it."""
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    monkeypatch.setenv("_NOONDAY_COMPLETE", "bash_complete")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        noonday.main(args=[], prog_name="noonday", complete_var="_NOONDAY_COMPLETE")
    captured = capsys.readouterr()
    assert captured.err == ""
    return [line.partition(",")[2] for line in captured.out.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_NOONDAY_COMPLETE" in ran.out


@pytest.mark.usefixtures("run")
def test_job_names_come_from_the_server(
    server: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET /jobs", a_page(a_job(name="load-a"), a_job(name="load-b")))
    assert completed("noonday job show lo", capsys, monkeypatch) == ["load-a", "load-b"]
    assert completed("noonday instance list --job load-b", capsys, monkeypatch) == ["load-b"]
    assert dict(server.asked[0].query)["name"] == "lo"


def test_a_server_that_is_away_is_no_reason_to_complain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOONDAY_URL", "http://127.0.0.1:1")
    assert completed("noonday job show lo", capsys, monkeypatch) == []
    monkeypatch.setenv("NOONDAY_URL", "nonsense")
    assert completed("noonday job show lo", capsys, monkeypatch) == []


def test_commands_and_states_are_completed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "submit" in completed("noonday job su", capsys, monkeypatch)
    assert completed("noonday ins", capsys, monkeypatch) == ["instance"]
    assert completed("noonday job list --state SUS", capsys, monkeypatch) == ["suspended"]
