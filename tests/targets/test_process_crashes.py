"""kill -9 at every step of the server, of the runner and of the process that becomes the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="forks and /proc as Linux has them")
@pytest.mark.parametrize(("victim", "at_least"), [("server", 100), ("runner", 80), ("child", 25)])
def test_wherever_it_dies_the_program_runs_at_most_once_and_its_end_is_known(
    victim: str, at_least: int, tmp_path: Path
) -> None:
    script = [sys.executable, "-m", "tests.targets.crash_script", str(tmp_path), victim]
    ended = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["wrong"] == []
    assert found["steps"] > at_least
