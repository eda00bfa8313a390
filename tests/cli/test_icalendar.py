"""iCalendar files: what is carried over, and what is refused with its line."""

from __future__ import annotations

import pytest

from cli.errors import Unreadable
from cli.icalendar import looks_like_icalendar, read_icalendar


def file_of(*events: str) -> str:
    body = "\r\n".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}\r\nEND:VCALENDAR\r\n"


@pytest.mark.parametrize(
    ("event", "document"),
    [
        ("DTSTART;VALUE=DATE:20261225", {"dates": ["2026-12-25"]}),
        ("DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261226", {"dates": ["2026-12-25"]}),
        ("DTSTART:20261224\r\nDTEND:20261227", {"dates": ["2026-12-24/2026-12-26"]}),
        ("DTSTART:20261225\r\nRRULE:FREQ=YEARLY", {"yearly": ["12-25"]}),
        ("DTSTART:20240229\r\nRRULE:FREQ=YEARLY", {"yearly": ["02-29"]}),
        (
            "DTSTART:20261224\r\nDTEND:20261227\r\nRRULE:FREQ=YEARLY;INTERVAL=1",
            {"yearly": ["12-24/12-26"]},
        ),
        (
            "DTSTART:20261224T120000Z\r\nDTEND:20261224T180000Z",
            {"spans": ["2026-12-24T12:00:00Z/2026-12-24T18:00:00Z"]},
        ),
        (
            "DTSTART:20261224T120000\r\nDTEND:20261224T180000",
            {"spans": ["2026-12-24T12:00:00/2026-12-24T18:00:00"]},
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260701T120000\r\nDTEND;TZID=Europe/Berlin:20260701T180000",
            {"spans": ["2026-07-01T12:00:00+02:00/2026-07-01T18:00:00+02:00"]},
        ),
        (
            "SUMMARY:a very lo\r\n ng title: with a colon\r\nDTSTART:20261225",
            {"dates": ["2026-12-25"]},
        ),
        (
            "DTSTART:20261225\r\nBEGIN:VALARM\r\nDURATION:PT5M\r\nEND:VALARM",
            {"dates": ["2026-12-25"]},
        ),
    ],
)
def test_what_is_carried_over(event: str, document: dict[str, list[str]]) -> None:
    assert read_icalendar(file_of(event), "file.ics") == document


def test_events_are_sorted_and_said_once_and_cancelled_ones_left_out() -> None:
    text = file_of(
        "DTSTART:20261226",
        "DTSTART:20261225",
        "DTSTART:20261225",
        "DTSTART:20270101\r\nSTATUS:CANCELLED",
    )
    assert read_icalendar(text, "file.ics") == {"dates": ["2026-12-25", "2026-12-26"]}


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ("DTSTART:20261225\r\nRRULE:FREQ=WEEKLY", "line 5: the rule FREQ=WEEKLY"),
        ("DTSTART:20261225\r\nEXDATE:20271225", "line 5: EXDATE"),
        ("SUMMARY:nothing", "line 3: the event has no DTSTART"),
        ("DTSTART:20261332", "line 4: DTSTART '20261332' is no day"),
        ("DTSTART:tomorrow\r\nDTEND:later", "line 4: DTSTART 'tomorrow' is no time"),
        ("DTSTART:20261224T120000Z", "line 4: the event has no DTEND"),
        ("DTSTART;TZID=Mars/Base:20261224T120000\r\nDTEND:20261224T130000", "Mars/Base"),
        ("DTSTART:20261224T120000Z\r\nDTEND:20261224T130000Z\r\nRRULE:FREQ=YEARLY", "whole days"),
        ("DTSTART:20261231\r\nDTEND:20270102\r\nRRULE:FREQ=YEARLY", "the year it begins in"),
        ("no colon here", "line 4: 'no colon here' is no property"),
        ("END:VTODO", "line 4: END:VTODO"),
    ],
)
def test_what_is_refused_names_its_line(event: str, complaint: str) -> None:
    with pytest.raises(Unreadable, match=r"file\.ics") as refused:
        read_icalendar(file_of(event), "file.ics")
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [file_of(), "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225\n"],
    ids=["none", "cut off"],
)
def test_a_file_without_whole_events_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match=r"file\.ics"):
        read_icalendar(text, "file.ics")


def test_a_file_is_known_by_its_first_line() -> None:
    assert looks_like_icalendar("\nbegin:vcalendar\r\n")
    assert not looks_like_icalendar("dates: [2026-12-25]")
