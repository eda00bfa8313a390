"""Values on their way into files: nothing is lost, nothing is taken for something else."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.targets.sql_rows import Format, csv_line, distinct, format_of, plain, writer

VALUES = [
    (1, "1", "1"),
    (2**70, "1180591620717411303424", "1180591620717411303424"),
    (1.5, "1.5", "1.5"),
    (float("inf"), "inf", '"inf"'),
    (Decimal("12.10"), "12.10", "12.10"),
    (Decimal("1E+3"), "1000", "1000"),
    (None, "", "null"),
    ("", '""', '""'),
    ("a,b", '"a,b"', '"a,b"'),
    ('say "hi"', '"say ""hi"""', '"say \\"hi\\""'),
    ("two\nlines", '"two\nlines"', '"two\\nlines"'),
    (" x", '" x"', '" x"'),
    ("Žluť 🍕", "Žluť 🍕", '"Žluť 🍕"'),
    (b"\x00\xff", "0x00ff", '"0x00ff"'),
    (b"", "0x", '"0x"'),
    (True, "True", "true"),
    (date(2026, 1, 31), "2026-01-31", '"2026-01-31"'),
    (datetime(2026, 1, 31, 6, 0, 0, 5), "2026-01-31T06:00:00.000005", '"2026-01-31T06:00:00.000005"'),  # noqa: DTZ001
    (time(6, 0), "06:00:00", '"06:00:00"'),
    (timedelta(hours=-838, minutes=-59, seconds=-59), "-838:59:59", '"-838:59:59"'),
    (timedelta(milliseconds=1500), "00:00:01.500000", '"00:00:01.500000"'),
]  # fmt: skip


def written(kind: Format, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    file = io.BytesIO()
    writer(kind, columns, file)(rows)
    return file.getvalue().decode()


@pytest.mark.parametrize(("value", "in_csv", "in_json"), VALUES)
def test_values(value: object, in_csv: str, in_json: str) -> None:
    assert written("csv", ["x", "y"], [(value, 0)]) == f"x,y\n{in_csv},0\n"
    assert written("jsonl", ["x"], [(value,)]) == f'{{"x":{in_json}}}\n'


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2))
def test_every_text_is_read_back(row: list[str]) -> None:
    assert next(csv.reader(io.StringIO(csv_line(row), newline=""), strict=True)) == row
    names = [f"c{number}" for number in range(len(row))]
    assert list(json.loads(written("jsonl", names, [row])).values()) == row


def test_columns_of_one_name_are_told_apart_in_json() -> None:
    assert distinct(["x", "x", "x_2", "x"]) == ["x", "x_2", "x_2_2", "x_3"]


def test_an_empty_answer_has_its_header() -> None:
    assert written("csv", ["a", "b"], []) == "a,b\n"
    assert written("jsonl", ["a", "b"], []) == ""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("a.csv", "csv"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a.txt", None)],
)
def test_the_suffix_says_the_format(path: str, kind: str | None) -> None:
    assert format_of(path) == kind


def test_a_set_is_what_mysql_writes() -> None:
    assert plain({"b", "a"}) == "a,b"
