"""What was handed out, on its way to its target, or to the check of what it waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chalicelib.engine.checking import check_waiting
from chalicelib.engine.inline import run_inline
from chalicelib.engine.launch import launch_started
from chalicelib.engine.ports import Lane
from chalicelib.events.records import Record, answer, read_handed
from chalicelib.wiring import noonday


def launch(records: Iterable[Record]) -> dict[str, Any]:
    """Started kinds: all that came together is one batch."""
    read, unread = read_handed(records, Lane.LAUNCH)
    launch_started(noonday().engine, [one for together in read for one in together])
    return answer(unread)


def work(records: Iterable[Record]) -> dict[str, Any]:
    """Inline kinds: the call is the work, one after the other."""
    read, unread = read_handed(records, Lane.WORK)
    for together in read:
        for one in together:
            run_inline(noonday().engine, one)
    return answer(unread)


def check(records: Iterable[Record]) -> dict[str, Any]:
    """Prerequisites, a message at a time: what travels apart is not to delay others."""
    read, unread = read_handed(records, Lane.CHECK)
    for together in read:
        check_waiting(noonday().engine, together)
    return answer(unread)
