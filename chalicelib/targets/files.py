"""Files that runs leave: results under one root, logs under another, and nothing beyond them.

A path is shown and stored as it may be read again: ``reports/x.csv`` is a result, ``runs/TOKEN/run.log``
belongs to a run.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from chalicelib.model.errors import NotFound
from chalicelib.targets.process_folder import Folder

RUNS = "runs"
_TOKEN = re.compile(r"[A-Za-z0-9-]{1,100}")


class OutsideFiles(ValueError):
    """The path is no place where a result may be."""


class Folders:
    """``files``: the root of results; ``runs``: one folder a run, named by its token. Made when needed."""

    def __init__(self, files: Path, runs: Path) -> None:
        self._files = files.absolute()
        self._runs = runs.absolute()

    @property
    def files(self) -> Path:
        return self._files

    def run(self, token: str) -> Path:
        """The folder of a run, which need not exist yet."""
        if _TOKEN.fullmatch(token) is None:
            raise OutsideFiles(f"{token!r} is no token")
        return self._runs / token

    def log(self, token: str, name: str) -> str:
        """The path by which ``read`` finds a file of a run."""
        return f"{RUNS}/{token}/{name}"

    def result(self, path: str) -> Path:
        """Where a result goes. Raises OutsideFiles, saying what is wrong with the path."""
        complaint = misplaced(path)
        if complaint:
            raise OutsideFiles(complaint)
        return self._inside(self._files, path)

    def read(self, path: str, *, offset: int = 0, limit: int = 5_000_000) -> bytes:
        """Raises NotFound when it is gone, was never written, or is no file of ours."""
        try:
            place = self._readable(path)
            if not place.is_file():  # a pipe would wait for its writer
                raise OutsideFiles(f"{path!r} is no file")
            with place.open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except (OutsideFiles, OSError, ValueError):
            if path.startswith("s3://"):
                raise NotFound(f"it is in S3 and not here: aws s3 cp {path} -") from None
            raise NotFound(f"there is no file {path!r}") from None

    def forget(self, token: str) -> bool:
        """Remove the folder of a run; whether none is left. Links are not followed, and stay."""
        place = self.run(token)
        try:
            if place.is_dir() and not Folder(place).may_be_at_work():
                shutil.rmtree(place)
        except OSError:
            return False
        return not os.path.lexists(place)

    def _readable(self, path: str) -> Path:
        first, _, rest = path.partition("/")
        if first == RUNS:
            complaint = _no_path(rest)
            if complaint:
                raise OutsideFiles(complaint)
            return self._inside(self._runs, rest)
        return self.result(path)

    @staticmethod
    def _inside(root: Path, path: str) -> Path:
        """Symbolic links are followed before it is judged, so that none leads out of the root."""
        place = root / path
        if not place.resolve().is_relative_to(root.resolve()):
            raise OutsideFiles(f"{path!r} leads out of the files' root through a symbolic link")
        return place


def misplaced(path: str) -> str | None:
    """Why this cannot be the path of a result, or None."""
    if "://" in path:
        return (
            f"{path!r}: results are written to local files here; give a path such as reports/x.csv"
        )
    if path.partition("/")[0] == RUNS:
        return f"{path!r}: {RUNS}/ holds the logs; choose another folder"
    return _no_path(path)


def _no_path(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    if not path or path.endswith("/") or parts in {(), (".",)}:
        return f"{path!r} names no file; give a path such as reports/x.csv"
    if path.startswith("/"):
        return f"{path!r} is absolute; paths are relative to the files' root"
    if ".." in parts:
        return f"{path!r} contains '..'; paths stay under the files' root"
    if any(ord(letter) < 32 for letter in path):
        return f"{path!r} contains control characters"
    return None


class Draft:
    """A file that becomes visible as a whole, or not at all."""

    def __init__(self, file: BinaryIO, draft: Path, place: Path) -> None:
        self.file = file
        self._draft = draft
        self._place = place

    def finish(self) -> None:
        """All of it is on the disk now, still unseen."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()

    def publish(self) -> None:
        """Takes the place of what was there."""
        self._draft.replace(self._place)
        sync_folder(self._place.parent)


@contextmanager
def drafting(folders: Folders, path: str, token: str) -> Iterator[Draft]:
    """A draft beside its place, gone at the end unless it was published.

    The name carries the token: a repetition of the run writes over what a crash left.
    """
    place = folders.result(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place = folders.result(path)  # folders that were made meanwhile may be links
    if place.is_dir():
        raise OutsideFiles(f"{path!r} is a folder; a result needs the path of a file")
    name = f".{place.name}"[:100]
    draft = place.parent / f"{name}.{token}.part"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with os.fdopen(descriptor, "wb", buffering=1 << 18) as file:
            yield Draft(file, draft, place)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
