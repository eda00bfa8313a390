"""When a job is due, as its user writes it. What it means is ``chalicelib.schedule``."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from chalicelib.model.document import Document
from chalicelib.model.identity import Slug


class Frequency(StrEnum):
    """How often, counted from the start each time; days that a month does not have become its last."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    YEARLY = "YEARLY"


class Schedule(Document):
    """When a job is due: exactly one of ``frequency``, ``cron``, ``every`` and ``at``, in a window."""

    frequency: Frequency | None = Field(
        None,
        strict=False,
        description="Counted from the start, on the clocks of the zone; 31 January, 28 February, 31 March",
        examples=["DAILY", "MONTHLY"],
    )
    cron: str | None = Field(
        None,
        max_length=1000,
        description="An expression in the grammar that `dialect` names",
        examples=["0 0 6 ? * MON-FRI", "0 0 18 L * ?"],
    )
    every: str | None = Field(
        None,
        max_length=100,
        description="ISO 8601 duration of whole seconds, in absolute time from the start; no clock moves it",
        examples=["PT15M", "P1D"],
    )
    at: str | None = Field(
        None,
        max_length=100,
        description="Once, at this instant; at once if it is past",
        examples=["2026-12-24T18:00:00", "2026-12-24T17:00:00Z"],
    )
    dialect: Literal["quartz", "unix", "eventbridge"] = Field(
        "quartz",
        description="The grammar of `cron`: Quartz has 6 or 7 fields, seconds first; Unix has 5; "
        "EventBridge writes cron(…) or rate(…)",
        examples=["quartz", "unix"],
    )
    timezone: str = Field(
        "UTC",
        max_length=100,
        description="IANA name of the zone whose clocks count",
        examples=["Europe/Berlin", "UTC"],
    )
    start: str | None = Field(
        None,
        max_length=100,
        description="The first instant that can fire; local to the zone unless it carries an offset. "
        "Missing, it becomes the whole second of submission",
        examples=["2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00"],
    )
    end: str | None = Field(
        None,
        max_length=100,
        description="Fires only before this instant; missing, for ever",
        examples=["2027-01-01T00:00:00"],
    )
    dst_gap: Literal["shift", "skip"] = Field(
        "shift",
        description="What becomes of a local time that the clocks skip: as much later, or nothing",
        examples=["shift", "skip"],
    )
    dst_overlap: Literal["first", "last", "both"] = Field(
        "first",
        description="Which of a local time that the clocks show twice",
        examples=["first", "both"],
    )
    exclude: tuple[Slug, ...] = Field(
        (),
        strict=False,
        max_length=10,
        description="Names of calendars of the job's owner; what they name does not fire",
        examples=[["de-holidays", "weekends"]],
    )
    roll: Literal["skip", "next", "previous"] = Field(
        "skip",
        description="What becomes of an excluded time: nothing, or it fires at the same local time of the "
        "nearest later or earlier day on which that time is not excluded",
        examples=["skip", "next"],
    )
