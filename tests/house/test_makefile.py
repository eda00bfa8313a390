"""The commands: help names them all, and a machine that lacks something is told what."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile and the pins, and nothing installed."""
    for name in ("Makefile", "pyproject.toml", "requirements-local.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def python_that(folder: Path, says: str) -> Path:
    """A stand-in for an interpreter: ``says`` is its shell script."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_help_is_what_make_alone_shows_and_names_every_command(clone: Path) -> None:
    shown = make(clone).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    for command in set(phony[1].split()) - {"help"}:
        assert f"make {command}" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_an_old_python_alone_is_refused_with_what_to_install(clone: Path) -> None:
    old = python_that(clone, "exit 1")
    done = make(clone, ".venv/bin/python", f"PYTHON={old}")
    assert done.returncode != 0
    assert "Noonday needs Python 3.11 or newer" in done.stderr
    assert "apt-get install python3" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_told_which_package_brings_it(clone: Path) -> None:
    bare = python_that(
        clone, 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; *) exit 0;; esac'
    )
    done = make(clone, ".venv/bin/python", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "apt-get install python3.12-venv" in done.stderr


def test_nothing_is_installed_again_while_the_pins_stay(clone: Path) -> None:
    python_that(clone, 'echo "$@" >> calls')
    (clone / ".venv" / "bin").mkdir(parents=True)
    shutil.move(clone / "python", clone / ".venv" / "bin" / "python")
    for _ in range(2):
        assert make(clone, ".venv/.dev", ".venv/.project").returncode == 0
    calls = (clone / "calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 2
    assert "--require-hashes --requirement requirements-dev.txt" in calls[0]
    assert "--no-deps --no-build-isolation --editable ." in calls[1]
