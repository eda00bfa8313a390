"""Housekeeping, once a night: as much as the time allows, and the minutes after it do the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.engine.housekeeping import tidy_tonight
from chalicelib.wiring import noonday

if TYPE_CHECKING:
    from chalicelib.events.alarm import Context

MARGIN_S = 20.0
"""Of the time that is left; a batch of the longest job takes less."""


def housekeeping(context: Context) -> bool:
    """Whether today's round is complete.

    Raises:
        Unavailable: the database cannot be asked; the minutes after it go on.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN_S
    return tidy_tonight(noonday().engine, seconds=seconds)
