"""Packages for the tests: built once, whatever the number of processes that test."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import Any

from infra import package
from infra.package import Package
from infra.stage import Stage


def built_once(shared: Path, stage: Stage) -> Package:
    """The first process builds, the others wait and take what it left."""
    folder = shared / "package"
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            made = package.build(stage, folder)
            (folder / "whole").write_text(made.code, encoding="utf-8")
    code = (folder / "whole").read_text(encoding="utf-8")
    return Package(stage, folder, package.runtime(), code)


def assembled(folder: Path, stage: Stage) -> dict[str, Any]:
    """The stage's template without the packages of its zip, which take most of the time."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    nothing = folder / "none.txt"
    nothing.touch()
    return package.assemble(stage, folder / "project", nothing)
