"""Whether data, rows and answers are there: the port Conditions, and the one place where kinds are listed.

Each look has a thread of its own, which cannot be ended from outside; so a look that hangs is left alone,
reported as late, and not repeated before it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Protocol

from chalicelib.engine.conditions import Condition, Found, shortened
from chalicelib.model.errors import NoondayError, Problem
from chalicelib.model.prerequisite import GLUE, S3, Prerequisite

AT_ONCE = 32
SOON_S = 1.0  # who answers by then does not wait for the others
END_S = 10.0
LOOK_S = 8.0  # what a look may take by its own clock: it says better than we do what it waited for


class Checker(Protocol):
    """One kind of place where things may be."""

    def problems(
        self, prerequisite: Prerequisite, parameters: Collection[str], owner: str
    ) -> Iterator[Problem]:
        """What is wrong with it as far as it can be told; ``field``: the prerequisite's own."""
        ...

    def check(self, condition: Condition, seconds: float) -> Found:
        """Look, within that time and a few megabytes. What it raises becomes what was found."""
        ...


class Availability:
    """``checkers``: by ``file``, ``s3``, ``glue``, ``sql`` and ``http``."""

    def __init__(
        self, checkers: Mapping[str, Checker], *, soon_s: float = SOON_S, end_s: float = END_S
    ) -> None:
        self._checkers = checkers
        self._soon_s = soon_s
        self._end_s = end_s
        self._lock = threading.Lock()
        self._hanging: set[Condition] = set()

    def problems(
        self, prerequisites: Sequence[Prerequisite], parameters: Collection[str], owner: str
    ) -> Sequence[Problem]:
        found = []
        for place, one in enumerate(prerequisites):
            if one.kind == "job":
                continue
            checker = self._checkers[_place(one.kind, one.data or "")]
            found += [
                replace(problem, field=f"prerequisites.{place}.{problem.field}")
                for problem in checker.problems(one, parameters, owner)
            ]
        return found

    def check(self, conditions: Sequence[Condition]) -> Iterator[Mapping[Condition, Found]]:
        """First what answers within a second, then the rest, ten seconds after the beginning at most."""
        begun = monotonic()
        with self._lock:
            hanging = [one for one in conditions if one in self._hanging]
        batch = _Batch([one for one in conditions if one not in hanging])
        for _ in range(min(AT_ONCE, batch.size)):
            threading.Thread(target=self._work, args=(batch,), daemon=True).start()
        still = Found(met=False, what="an earlier look still gets no answer", late=True)
        yield {**batch.answered(begun + self._soon_s), **dict.fromkeys(hanging, still)}
        if not batch.done:
            yield batch.answered(begun + self._end_s)
        for one in batch.close():
            silent = f"no answer within {self._end_s:g} s"
            yield {one: Found(met=False, what=silent, late=True)}

    def _work(self, batch: _Batch) -> None:
        while (condition := batch.take()) is not None:
            with self._lock:
                self._hanging.add(condition)
            try:
                found = self._look(condition)
            finally:
                with self._lock:
                    self._hanging.discard(condition)
            batch.answer(condition, found)

    def _look(self, condition: Condition) -> Found:
        checker = self._checkers[_place(condition.kind, condition.what)]
        try:
            return checker.check(condition, min(LOOK_S, self._end_s))
        except TimeoutError as error:
            return Found(met=False, what=shortened(str(error) or "no answer in time"), late=True)
        except NoondayError as error:
            return Found(met=False, what=shortened(error.message))
        except OSError as error:  # without its path, which says where the files of this machine are
            why = (error.strerror or type(error).__name__).lower()
            return Found(met=False, what=f"it cannot be looked at: {why}")
        except Exception as error:  # noqa: BLE001 - one that raises delays nobody but its own job
            said = f"{type(error).__name__}: {error}"
            return Found(met=False, what=f"it cannot be looked at: {shortened(said)}")


class _Batch:
    """What is to be looked at, and what was found so far; shared by the threads that look."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.size = len(conditions)
        self._left = list(reversed(conditions))
        self._going: set[Condition] = set()
        self._found: dict[Condition, Found] = {}
        self._given: set[Condition] = set()
        self._changed = threading.Condition()

    @property
    def done(self) -> bool:
        with self._changed:
            return len(self._found) == self.size

    def take(self) -> Condition | None:
        with self._changed:
            if not self._left:
                return None
            one = self._left.pop()
            self._going.add(one)
            return one

    def answer(self, condition: Condition, found: Found) -> None:
        with self._changed:
            self._going.discard(condition)
            self._found[condition] = found
            self._changed.notify_all()

    def answered(self, until: float) -> Mapping[Condition, Found]:
        """What was found by then and not given before; sooner when all is."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._found) == self.size, max(0.0, until - monotonic())
            )
            fresh = {one: found for one, found in self._found.items() if one not in self._given}
            self._given.update(fresh)
            return fresh

    def close(self) -> Sequence[Condition]:
        """Begin no further look; those that are going on."""
        with self._changed:
            self._left.clear()
            return list(self._going)


def _place(kind: str, data: str) -> str:
    if kind != "data":
        return kind
    if data.startswith(GLUE):
        return "glue"
    return "s3" if data.startswith(S3) else "file"
