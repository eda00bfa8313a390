"""What is looked at before a launch, what was found, and the key by which its arrival is announced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from chalicelib.model.prerequisite import GLUE, S3, Kind

Bound = str | int | float | bool | None
UpstreamKey = tuple[str, str, int]
"""An instance by its job: owner, name, nominal time."""

_SHOWN = 300
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing to look at; equal ones of the same owner are looked at once.

    ``what``: the path, query, URL or name of a job. ``nominal_ms``: of the job's instance, None when there
    is no such time. ``words``: how people call it.
    """

    kind: Kind
    what: str
    owner: str
    connection: str = ""
    bindings: tuple[tuple[str, Bound], ...] = ()
    method: str = "GET"
    statuses: tuple[int | str, ...] = ()
    nominal_ms: int | None = None
    words: str = field(compare=False)

    @property
    def upstream(self) -> UpstreamKey:
        """Raises ValueError when it is no job's instance."""
        if self.kind != "job" or self.nominal_ms is None:
            raise ValueError(f"{self.words} is no instance of a job")
        return self.owner, self.what, self.nominal_ms


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found, in words. ``late``: it gave no answer in its time."""

    met: bool
    what: str
    late: bool = False


def wait_key(condition: Condition) -> str | None:
    """The key under which its arrival finds who waits for it; None where nothing announces it.

    Of a glob or a prefix it is the folder before the first wildcard: what arrives below it may be it. Of a
    partition it is its table: catalogues tell of changes of tables.
    """
    if condition.kind == "data":
        return data_key(_literal_folder(condition.what))
    if condition.kind == "job" and condition.nominal_ms is not None:
        return job_key(condition.upstream)
    return None


def arrival_keys(path: str) -> Iterator[str]:
    """The keys of everybody whom the arrival of that path may concern: its own, and each folder's above."""
    whole = normal_path(path)
    if whole.startswith(GLUE):
        yield data_key(_table(whole))
        return
    scheme = S3 if whole.startswith(S3) else ""
    parts = whole[len(scheme) :].split("/")
    folders = ["/".join(parts[:depth]) + "/" for depth in range(len(parts) - 1, 0, -1)]
    yield from map(data_key, dict.fromkeys([whole, *(scheme + folder for folder in folders)]))
    if not scheme:
        yield data_key("")


def data_key(path: str) -> str:
    return sha256(f"data\0{path}".encode("utf-8", "surrogatepass")).hexdigest()


def job_key(upstream: UpstreamKey) -> str:
    owner, name, nominal_ms = upstream
    return sha256(f"job\0{owner}\0{name}\0{nominal_ms}".encode()).hexdigest()


def normal_path(path: str) -> str:
    """Local paths are compared without what means nothing: ``a//./b`` is ``a/b``. S3 keys are as they are."""
    if path.startswith((S3, GLUE, "/")):
        return path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/".join(parts) + ("/" if parts and path.endswith("/") else "")


def wild(path: str) -> bool:
    return _WILD.search(path) is not None


def _table(path: str) -> str:
    return "/".join(path.removeprefix(GLUE).split("/")[:2])


def _literal_folder(path: str) -> str:
    if path.startswith(GLUE):
        return _table(path)
    match = None if path.startswith(S3) else _WILD.search(path)
    if match is None:
        return path
    return path[: path.rfind("/", 0, match.start()) + 1]


def shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
