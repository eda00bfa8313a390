"""Programs: what they see, what they leave, how they end and are ended, and who finds them again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from chalicelib.engine.outcomes import Dropped, Failed, Outcome, Stopped, Succeeded, Unknown
from chalicelib.targets import TargetRegistry, TargetSettings, process_runner
from chalicelib.targets.process_folder import Folder, Phase
from tests.targets.hands import TOKEN, FixedClock, Hand, a_request

HANGS = ["sh", "-c", "echo begun; exec sleep 600"]


def run(registry: TargetRegistry, hand: Hand | None = None, **spec: Any) -> Outcome:
    return registry.run(a_request("process", spec), hand or Hand())


def in_background(
    registry: TargetRegistry,
    hand: Hand,
    spec: Mapping[str, Any],
    handle: Mapping[str, Any] | None = None,
) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    request = a_request("process", spec, handle=handle)
    threading.Thread(
        target=lambda: future.set_result(registry.run(request, hand)), daemon=True
    ).start()
    return future


def until(condition: Any) -> None:
    """Real programs begin when they begin: look, give way, look again."""
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen within 20 s")


def begun(settings: TargetSettings, word: bytes = b"begun") -> Folder:
    folder = Folder(settings.runs / TOKEN)
    output = folder.path / "output.log"
    until(lambda: output.exists() and word in output.read_bytes())
    return folder


def a_handle(settings: TargetSettings, registry: TargetRegistry) -> Mapping[str, Any]:
    """What a claim of a run that never got further would have committed."""
    hand = Hand()
    registry.run(a_request("process", {"command": ["true"]}, token="probe-1"), hand)
    assert hand.handle is not None
    return {**hand.handle, "folder": str(settings.runs / TOKEN)}


def test_its_output_is_kept(registry: TargetRegistry) -> None:
    outcome = run(registry, command=["sh", "-c", "echo out; echo err >&2"])
    assert outcome == Succeeded(log_path=f"runs/{TOKEN}/output.log", facts={"exit_code": 0})
    assert registry.read(f"runs/{TOKEN}/output.log") == b"out\nerr\n"


def test_the_handle_is_committed_before_anything_happens(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    assert run(registry, Hand(taken=True), command=["touch", "trace"]) == Dropped()
    assert not settings.runs.exists()


def test_its_environment_is_its_own(
    registry: TargetRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    run(registry, command=["env"], env={"REGION": "north"})
    lines = registry.read(f"runs/{TOKEN}/output.log").decode().splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    assert seen["REGION"] == "north"
    assert seen["NOONDAY_TOKEN"] == TOKEN
    assert seen["NOONDAY_JOB_NAME"] == "a-job"
    assert seen["NOONDAY_INSTANCE_ID"] == TOKEN[:32]
    assert seen["NOONDAY_NOMINAL_TIME"] == "2026-01-31 06:00:00"
    assert "SECRET_OF_THE_SERVER" not in seen


def test_no_shell_reads_the_arguments(registry: TargetRegistry) -> None:
    run(registry, command=["printf", "%s", "$HOME; ls *"])
    assert registry.read(f"runs/{TOKEN}/output.log") == b"$HOME; ls *"


def test_standard_input_and_working_folder(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    (settings.files / "work").mkdir(parents=True)
    run(registry, command=["sh", "-c", "pwd; cat"], cwd="work", stdin="fed\n")
    said = registry.read(f"runs/{TOKEN}/output.log").decode()
    assert said == f"{settings.files / 'work'}\nfed\n"


def test_exit_codes_decide(registry: TargetRegistry) -> None:
    outcome = run(registry, command=["sh", "-c", "echo no such table >&2; exit 3"])
    assert outcome == Failed("exit code 3: no such table", log_path=f"runs/{TOKEN}/output.log")


def test_a_code_may_be_declared_success(registry: TargetRegistry) -> None:
    outcome = run(registry, command=["sh", "-c", "exit 3"], success_codes=[0, 3])
    assert isinstance(outcome, Succeeded)


def test_a_signal_is_named(registry: TargetRegistry) -> None:
    outcome = run(registry, command=["sh", "-c", "kill -SEGV $$"])
    assert isinstance(outcome, Failed)
    assert outcome.error == "ended by signal SIGSEGV"


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"command": ["no-such-program"]}, "there is no program 'no-such-program' in /usr/local"),
        ({"command": ["/etc/passwd"]}, "'/etc/passwd' cannot be started: Permission denied"),
        ({"command": ["true"], "cwd": "nowhere"}, "/files/nowhere does not exist"),
    ],
)
def test_what_cannot_be_started_says_why(
    registry: TargetRegistry, spec: dict[str, Any], error: str
) -> None:
    outcome = run(registry, **spec)
    assert isinstance(outcome, Failed)
    assert error in outcome.error
    assert error in registry.read(f"runs/{TOKEN}/output.log").decode()


def test_output_is_cut_but_the_program_goes_on(
    settings: TargetSettings, registry: TargetRegistry
) -> None:
    outcome = run(
        registry, command=["sh", "-c", "head -c 30000000 /dev/zero; exit 7"], success_codes=[7]
    )
    assert isinstance(outcome, Succeeded)
    size = (settings.runs / TOKEN / "output.log").stat().st_size
    assert 10_000_000 < size < 10_000_100
    tail = registry.read(f"runs/{TOKEN}/output.log", offset=10_000_000)
    assert tail == b"\n[the output is cut after 10000000 bytes]\n"


def test_a_result_is_the_standard_output_and_whole(registry: TargetRegistry) -> None:
    command = ["sh", "-c", "echo row; echo note >&2"]
    outcome = run(registry, command=command, result="made/rows.txt")
    assert isinstance(outcome, Succeeded)
    assert outcome.result_path == "made/rows.txt"
    assert registry.read("made/rows.txt") == b"row\n"
    assert registry.read(f"runs/{TOKEN}/output.log") == b"note\n"


def test_a_failure_leaves_the_former_result(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    settings.files.mkdir()
    (settings.files / "rows.txt").write_text("former")
    run(registry, command=["sh", "-c", "echo half; exit 1"], result="rows.txt")
    assert [path.name for path in settings.files.iterdir()] == ["rows.txt"]
    assert registry.read("rows.txt") == b"former"


def test_a_daemon_left_behind_does_not_hold_the_run(registry: TargetRegistry) -> None:
    outcome = run(registry, command=["sh", "-c", "sleep 30 & echo $!"])
    assert isinstance(outcome, Succeeded)
    os.kill(int(registry.read(f"runs/{TOKEN}/output.log")), signal.SIGKILL)


def test_a_stop_ends_the_whole_group_also_who_ignores_it(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    hand = Hand()
    script = "(trap '' TERM; exec sleep 600) & echo $! begun; exec sleep 600"
    future = in_background(registry, hand, {"command": ["sh", "-c", script]})
    folder = begun(settings)
    straggler = int((folder.path / "output.log").read_text().split()[0])
    hand.stop()
    assert future.result(20) == Stopped(log_path=f"runs/{TOKEN}/output.log")
    until(lambda: _gone(straggler))


def _gone(pid: int) -> bool:
    """Or dead, and only waiting for somebody to hear of it."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def test_who_ignores_the_request_is_killed_after_the_grace(
    registry: TargetRegistry, settings: TargetSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.targets.process_watch.GRACE_SECONDS", 0.3)
    hand = Hand()
    script = "trap '' TERM; echo begun; while :; do sleep 0.1; done"
    future = in_background(registry, hand, {"command": ["sh", "-c", script]})
    folder = begun(settings)
    hand.stop()
    assert future.result(20) == Stopped(log_path=f"runs/{TOKEN}/output.log")
    assert folder.status()["signal"] == signal.SIGKILL


def test_its_own_end_wins_over_a_stop_that_comes_later(registry: TargetRegistry) -> None:
    hand = Hand()
    assert isinstance(run(registry, hand, command=["true"]), Succeeded)
    late = Hand()
    late.stop()
    outcome = registry.run(a_request("process", {"command": ["true"]}, handle=hand.handle), late)
    assert isinstance(outcome, Succeeded)


def test_a_stop_before_the_beginning_begins_nothing(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    handle = a_handle(settings, registry)
    hand = Hand()
    hand.stop()
    outcome = registry.run(a_request("process", {"command": ["touch", "x"]}, handle=handle), hand)
    assert outcome == Stopped()
    assert not (settings.runs / TOKEN).exists()


def test_a_lost_claim_leaves_the_program_to_whoever_has_it_now(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    first, second = Hand(), Hand()
    script = "echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done"
    spec = {"command": ["sh", "-c", script]}
    future = in_background(registry, first, spec)
    begun(settings)
    first.lose()
    assert future.result(20) == Dropped()
    adopted = in_background(registry, second, spec, first.handle)
    (settings.files / "go").touch()
    assert isinstance(adopted.result(20), Succeeded)
    assert registry.read(f"runs/{TOKEN}/output.log") == b"begun\ndone\n"


def test_two_claims_at_once_start_it_once(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    spec = {"command": ["sh", "-c", "echo once >> count; sleep 0.2"]}
    handle = a_handle(settings, registry)
    futures = [in_background(registry, Hand(), spec, handle) for _ in range(6)]
    assert all(isinstance(future.result(30), Succeeded) for future in futures)
    assert (settings.files / "count").read_text() == "once\n"


def test_a_runner_that_was_killed_is_a_loss_once_its_program_is_gone(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    hand = Hand()
    future = in_background(registry, hand, {"command": HANGS})
    folder = begun(settings)
    child = json.loads((folder.path / "child").read_text())["pid"]
    os.kill(_parent(child), signal.SIGKILL)
    until(lambda: _parent(child) != os.getpid())
    assert folder.phase() is Phase.BEGUN  # the program itself lives
    assert not future.done()
    os.kill(child, signal.SIGKILL)
    outcome = future.result(20)
    assert isinstance(outcome, Failed)
    assert outcome.lost
    assert outcome.retry


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_program_whose_runner_was_killed_can_still_be_stopped(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    hand = Hand()
    future = in_background(registry, hand, {"command": HANGS})
    folder = begun(settings)
    child = json.loads((folder.path / "child").read_text())["pid"]
    os.kill(_parent(child), signal.SIGKILL)
    hand.stop()
    assert future.result(20) == Stopped(log_path=f"runs/{TOKEN}/output.log")


def test_another_process_of_the_same_id_is_not_taken_for_it(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    handle = a_handle(settings, registry)
    folder = settings.runs / TOKEN
    folder.mkdir()
    me = {"pid": os.getpid(), "born": "1", "machine": handle["machine"]}
    (folder / "child").write_text(json.dumps(me))
    hand = Hand()
    hand.stop()
    outcome = registry.run(a_request("process", {"command": ["true"]}, handle=handle), hand)
    assert isinstance(outcome, Failed)
    assert outcome.lost


def test_a_run_of_another_machine_is_not_started_here(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    handle = {**a_handle(settings, registry), "machine": "an earlier life"}
    outcome = registry.run(a_request("process", {"command": ["true"]}, handle=handle), Hand())
    assert isinstance(outcome, Failed)
    assert outcome.lost
    assert "another machine" in outcome.error
    assert not (settings.runs / TOKEN).exists()


def test_a_run_is_found_where_it_began_when_the_folder_of_runs_has_moved(
    registry: TargetRegistry, settings: TargetSettings, tmp_path: Path
) -> None:
    hand = Hand()
    spec = {"command": ["sh", "-c", "echo once >> count"]}
    run(registry, hand, **spec)
    moved = TargetSettings(settings.files, tmp_path / "elsewhere", process_enabled=True)
    again = TargetRegistry(moved, FixedClock())
    outcome = again.run(a_request("process", spec, handle=hand.handle), Hand())
    assert isinstance(outcome, Succeeded)
    assert (settings.files / "count").read_text() == "once\n"


def test_half_an_order_does_nothing(tmp_path: Path) -> None:
    order = json.dumps({"folder": str(tmp_path / "run"), "command": ["true"]})
    ended = subprocess.run(
        [sys.executable, "-I", "-S", process_runner.__file__],
        input=order[:-1].encode(),
        check=False,
    )
    assert ended.returncode == process_runner.NO_ORDER
    assert not (tmp_path / "run").exists()


def test_a_runner_that_cannot_work_is_an_error_not_a_loop(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    settings.runs.mkdir()
    (settings.runs / TOKEN).write_text("a file where the folder should be")
    outcome = run(registry, command=["true"])
    assert isinstance(outcome, Failed)
    assert "the runner does not start" in outcome.error or "NotADirectory" in outcome.error


def test_it_is_off_unless_turned_on(settings: TargetSettings) -> None:
    off = TargetRegistry(TargetSettings(settings.files, settings.runs), FixedClock())
    outcome = off.run(a_request("process", {"command": ["true"]}), Hand())
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert "NOONDAY_PROCESS=on" in outcome.error


@pytest.mark.skipif(sys.platform != "linux", reason="the runner's folder is read through /proc")
def test_no_descriptor_of_the_server_reaches_the_program(registry: TargetRegistry) -> None:
    run(registry, command=["ls", "/proc/self/fd"])
    assert registry.read(f"runs/{TOKEN}/output.log").split() == [b"0", b"1", b"2", b"3"]


def test_what_began_is_looked_after_even_if_programs_were_turned_off_since(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    off = TargetRegistry(TargetSettings(settings.files, settings.runs), FixedClock())
    first, second = Hand(), Hand()
    spec = {"command": ["sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.05; done"]}
    future = in_background(registry, first, spec)
    begun(settings)
    first.lose()
    assert future.result(20) == Dropped()
    adopted = in_background(off, second, spec, first.handle)
    (settings.files / "go").touch()
    assert isinstance(adopted.result(20), Succeeded)


def test_what_has_not_begun_does_not_begin_once_programs_were_turned_off(
    registry: TargetRegistry, settings: TargetSettings
) -> None:
    off = TargetRegistry(TargetSettings(settings.files, settings.runs), FixedClock())
    handle = a_handle(settings, registry)
    outcome = off.run(a_request("process", {"command": ["true"]}, handle=handle), Hand())
    assert isinstance(outcome, Failed)
    assert not outcome.retry
    assert not (settings.runs / TOKEN).exists()


def test_a_program_that_cannot_be_watched_is_not_a_failure(
    registry: TargetRegistry, settings: TargetSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Hand()
    future = in_background(registry, first, {"command": HANGS})
    begun(settings)
    first.lose()
    assert future.result(20) == Dropped()

    def no_descriptors(_: Folder) -> Phase:
        raise OSError("Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "phase", no_descriptors)
        request = a_request("process", {"command": HANGS}, handle=first.handle)
        assert isinstance(registry.run(request, Hand()), Unknown)
    second = Hand()
    second.stop()
    assert isinstance(registry.run(request, second), Stopped)
