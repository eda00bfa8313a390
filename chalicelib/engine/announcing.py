"""Somebody outside says that a run has ended: its target is asked now instead of at the next poll.

An announcement is a hint, and what the target answers counts. Nothing is written here: the row keeps the
time of its next poll, and what is sent is good for the row as it is now. So one that is forged, doubled,
late, or lost costs or saves a look and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.engine.engine import Engine
from chalicelib.engine.facts import EndAnnounced, EventIgnored, of_run
from chalicelib.engine.outcomes import Style
from chalicelib.engine.ports import HandedOut, Lane, Reader
from chalicelib.model.errors import NoondayError
from chalicelib.model.identity import read_token
from chalicelib.model.instance import Instance
from chalicelib.model.job import read_definition
from chalicelib.model.states import IN_FLIGHT

MOST = 20  # of one name: a kind that names its runs badly must not flood the targets


@dataclass(frozen=True, slots=True)
class Announced:
    """Which run: by our token where the target's word of it carries one, else by what the target calls it."""

    token: str | None = None
    external_id: str | None = None

    @property
    def may_be_ours(self) -> bool:
        """What names no run of ours is not worth a question: an account is full of other work."""
        return bool(self.external_id) or read_token(self.token or "") is not None


def end_announced(engine: Engine, source: str, announced: Announced) -> int:
    """Ask the target of that run how it is, if it is one of ours and nobody is asking already.

    How many runs are asked about: none when it is nobody's, has ended, or somebody holds it. Who holds it
    may be launching it still; then the first poll finds the end.
    """
    now = engine.clock.now_ms()
    if not announced.may_be_ours:
        engine.listener(EventIgnored(at_ms=now, source=source, why="it names no run of ours"))
        return 0
    found, styles = engine.store.read(lambda reader: _found(engine, reader, announced))
    if not found:
        engine.listener(EventIgnored(at_ms=now, source=source, why="no such run is in flight"))
    asked = [one for one in found if _is_free(one, now) and styles.get(_revision(one)) is _OURS]
    if asked:
        engine.queue.send(Lane.LAUNCH, [HandedOut(one.id, one.version) for one in asked])
    for one in found:
        which = of_run(one, None)
        engine.listener(EndAnnounced(at_ms=now, **which, source=source, asked=one in asked))
    return len(asked)


_OURS = Style.STARTED  # nobody outside knows how inline work goes: whoever does it says so


def _found(
    engine: Engine, reader: Reader, announced: Announced
) -> tuple[Sequence[Instance], Mapping[tuple[str, int], Style]]:
    """The instances in flight whose latest run that is, with the style of their targets."""
    found = [one for one in _named(reader, announced) if one.state in IN_FLIGHT]
    if not found:
        return (), {}
    styles = {}
    for revision, text in reader.definitions({_revision(one) for one in found}).items():
        with suppress(ValueError, NoondayError):  # of another version: the sweep sets it aside
            kind = str(read_definition(text).target["kind"])
            styles[revision] = engine.targets.style(kind)
    return found, styles


def _named(reader: Reader, announced: Announced) -> Iterable[Instance]:
    named = read_token(announced.token or "")
    if named is not None:
        instance_id, run = named
        return [one for one in reader.instances_by_id([instance_id]) if one.run == run]
    return reader.started_as(announced.external_id or "", MOST)


def _is_free(instance: Instance, now_ms: int) -> bool:
    lease_ms = instance.claim.lease_ms
    return lease_ms is None or lease_ms <= now_ms


def _revision(instance: Instance) -> tuple[str, int]:
    return instance.job_id, instance.revision
