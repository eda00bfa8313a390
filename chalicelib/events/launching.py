"""What was handed out, on its way to its target, or to the check of what it waits for."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.engine.checking import check_waiting
from chalicelib.engine.inline import run_inline
from chalicelib.engine.launch import launch_started
from chalicelib.events.alarm import Record
from chalicelib.notifications.messages import read_handed_out
from chalicelib.wiring import noonday


def launch(records: Iterable[Record]) -> None:
    """Started kinds: all that came together is one batch."""
    handed = [one for record in records for one in read_handed_out(record.body)]
    launch_started(noonday().engine, handed)


def work(records: Iterable[Record]) -> None:
    """Inline kinds: the call is the work, one after the other."""
    for record in records:
        for one in read_handed_out(record.body):
            run_inline(noonday().engine, one)


def check(records: Iterable[Record]) -> None:
    """Prerequisites, a message at a time: what travels apart is not to delay others."""
    for record in records:
        check_waiting(noonday().engine, read_handed_out(record.body))
