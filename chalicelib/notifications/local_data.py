"""Files, folders and globs under the files' root."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from time import monotonic

from chalicelib.engine.conditions import Condition, Found, normal_path, wild
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.model.template import templated

NO_FILES = (
    "is a local file, and this Noonday runs as functions of Lambda, which have none; "
    "wait for s3://BUCKET/KEY or glue://DATABASE/TABLE/KEY=VALUE"
)


class LocalData:
    """``root``: where files, globs and results are, and nothing beyond. ``there``: False where none last."""

    def __init__(self, root: Path, *, there: bool = True) -> None:
        self._root = root.absolute()
        self._there = there

    def problems(
        self,
        prerequisite: Prerequisite,
        parameters: Collection[str],  # noqa: ARG002 - templates have been checked
        owner: str,  # noqa: ARG002 - the root is everybody's
    ) -> Iterator[Problem]:
        complaint = _complaint(prerequisite.data or "") if self._there else NO_FILES
        if complaint:
            yield Problem("data", complaint, prerequisite.data)

    def check(self, condition: Condition, seconds: float) -> Found:
        complaint = _complaint(condition.what)
        if complaint:
            return Found(met=False, what=complaint)
        path = normal_path(condition.what)
        if wild(path):
            return self._glob(path, monotonic() + seconds)
        return self._folder(path) if path.endswith("/") else self._file(path)

    def _file(self, path: str) -> Found:
        place = self._root / path
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            return Found(met=False, what="there is no such file")
        if not self._inside(place):
            return _led_out(path)
        if stat.S_ISDIR(found.st_mode):
            return Found(met=False, what=f"is a folder; write {path}/ to wait for something in it")
        return Found(met=True, what=f"a file of {found.st_size} bytes")

    def _folder(self, path: str) -> Found:
        place = self._root / path
        try:
            with os.scandir(place) as entries:
                first = next((entry for entry in entries if not entry.name.startswith(".")), None)
        except FileNotFoundError:
            return Found(met=False, what="there is no such folder")
        except NotADirectoryError:
            return Found(met=False, what="is a file, no folder")
        if not self._inside(place):
            return _led_out(path)
        if first is None:
            return Found(met=False, what="nothing is in it")
        return Found(met=True, what=f"{first.name} is in it")

    def _glob(self, pattern: str, ends: float) -> Found:
        """The first match is enough; no more of a large folder is read."""
        wanted = pattern.rstrip("/").split("/")
        only_folders = pattern.endswith("/")
        for path in _matches(self._root, "", wanted, ends):
            place = self._root / path
            if self._inside(place) and (place.is_dir() or not only_folders):
                return Found(met=True, what=f"{path} is there")
        return Found(met=False, what="nothing matches")

    def _inside(self, place: Path) -> bool:
        """Symbolic links are followed before it is judged, so that none leads out of the root."""
        return place.resolve().is_relative_to(self._root.resolve())


def _matches(root: Path, folder: str, segments: list[str], ends: float) -> Iterator[str]:
    """Paths below the root, as they are found. ``**`` stands for any number of folders.

    Raises:
        TimeoutError: it takes too long.
    """
    first, *rest = segments
    if first == "**":
        yield from _matches(root, folder, rest or ["*"], ends)
        for name in _names(root / folder, ends):
            below = f"{folder}{name}"
            if not name.startswith(".") and _is_folder(root / below):
                yield from _matches(root, f"{below}/", segments, ends)
        return
    names = _names(root / folder, ends) if wild(first) else iter([first])
    for name in names:
        hidden = name.startswith(".") and not first.startswith(".")
        if hidden or not fnmatchcase(name, first):
            continue
        path = f"{folder}{name}"
        if rest:
            yield from _matches(root, f"{path}/", rest, ends)
        elif (root / path).exists():
            yield path


def _names(folder: Path, ends: float) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if monotonic() > ends:
                    raise TimeoutError("there is too much to look through in time")
                yield entry.name
    except (FileNotFoundError, NotADirectoryError):
        return


def _is_folder(place: Path) -> bool:
    """Links to folders are not followed below ``**``: they may lead in circles."""
    return place.is_dir() and not place.is_symlink()


def _complaint(path: str) -> str | None:
    """What is wrong with a path, as far as it can be told before its templates are replaced."""
    if "://" in path:
        return (
            "is no place that Noonday looks at; there are s3://bucket/key and files under the root"
        )
    if path.startswith("/"):
        return "is absolute; paths are relative to the files' root"
    if ".." in path.split("/"):
        return "contains '..'; paths stay under the files' root"
    if any(ord(letter) < 32 for letter in path):
        return "contains control characters"
    if not templated(path) and not normal_path(path):
        return "names no file; give a path such as orders/today.csv"
    return None


def _led_out(path: str) -> Found:
    return Found(met=False, what=f"{path} leads out of the files' root through a symbolic link")
