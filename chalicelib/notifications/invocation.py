"""Which invocation of which function is at work: what it logs carries its ids, and its metrics are added up.

Context variables are each thread's own. A thread that works for an invocation is started with a copy of its
context (``contextvars.copy_context``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from chalicelib.notifications.metrics import Measurements


@dataclass(frozen=True, slots=True)
class Invocation:
    """``request_id``: Lambda's, the same when Lambda tries again. ``api_request_id``: API Gateway's, which
    whoever asked was told."""

    function: str | None = None
    request_id: str | None = None
    api_request_id: str | None = None
    measured: Measurements = field(default_factory=Measurements)


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def current() -> Invocation | None:
    return _current.get()


@contextmanager
def invoked(invocation: Invocation) -> Iterator[Invocation]:
    """While it is open, ``current`` gives this one."""
    before = _current.set(invocation)
    try:
        yield invocation
    finally:
        _current.reset(before)
