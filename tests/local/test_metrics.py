"""Metrics as CloudWatch reads them: lines of JSON within its limits, their names from the table."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.engine.facts import LaunchBegun, RunEnded
from chalicelib.notifications.invocation import Invocation, invoked
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.metrics import COUNT, METRICS, NAMESPACE, Measurements

RUN: dict[str, Any] = {
    "at_ms": 5,
    "job_id": "job",
    "job": "nightly",
    "owner": "red",
    "instance_id": "one",
    "nominal_ms": 0,
    "run": 1,
    "token": "one-1",
}
FAILED = RunEnded(**RUN, state="FAILED", reason="RUN_FAILED", error="boom", duration_ms=None)


def a_log() -> tuple[JsonLog, io.StringIO]:
    stream = io.StringIO()
    log = JsonLog(stream, "off", lambda: 5)
    log.stage = "prod"
    return log, stream


def written(stream: io.StringIO) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def directives(line: Mapping[str, Any]) -> Mapping[str, Any]:
    return {each["Metrics"][0]["Name"]: each for each in line["_aws"]["CloudWatchMetrics"]}


def test_a_failure_is_counted_by_stage_and_reason() -> None:
    log, stream = a_log()
    log(FAILED)
    [line] = written(stream)
    assert set(directives(line)) == {"Ends", "Failures"}
    failures = directives(line)["Failures"]
    assert failures["Namespace"] == NAMESPACE
    assert failures["Dimensions"] == [["Stage"], ["Stage", "Reason"]]
    assert (line["Stage"], line["Reason"], line["Failures"]) == ("prod", "RUN_FAILED", 1.0)
    assert "boom" not in stream.getvalue()


def test_without_a_stage_nothing_is_measured() -> None:
    stream = io.StringIO()
    JsonLog(stream, "off", lambda: 5)(FAILED)
    assert stream.getvalue() == ""


def test_an_invocation_is_added_up_and_written_at_its_end() -> None:
    log, stream = a_log()
    with invoked(Invocation("launch", "r1")) as invocation:
        for late_ms in range(250):
            log(LaunchBegun(**RUN, kind="sql", epoch=1, lateness_ms=late_ms))
        log(LaunchBegun(**RUN, kind="http", epoch=1, lateness_ms=None))
        assert stream.getvalue() == ""
        log.write_measured(invocation.measured)
        log.write_measured(invocation.measured)  # nothing is left
    lines = written(stream)
    assert [line["Kind"] for line in lines] == ["sql", "sql", "sql", "http"]
    assert sum(line.get("Launches", 0) for line in lines) == 251
    late = [value for line in lines[:3] for value in line["LaunchLateness"]]
    assert late == list(range(250))
    assert "LaunchLateness" not in lines[3]


WORDS = st.text(max_size=400)
DIMENSIONS = ("Kind", "Reason", "State", "Lane", "Hand")


@given(
    stage=WORDS,
    added=st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(sorted(METRICS)),
                st.lists(st.integers(0, 10**9), max_size=350),
                max_size=len(METRICS),
            ),
            st.dictionaries(st.sampled_from(DIMENSIONS), WORDS, max_size=3),
        ),
        max_size=4,
    ),
)
def test_every_line_is_within_the_limits_and_no_value_is_lost(
    stage: str, added: Sequence[tuple[Mapping[str, Sequence[float]], Mapping[str, str]]]
) -> None:
    measurements = Measurements()
    wanted: Counter[str] = Counter()
    for values, dimensions in added:
        measurements.add(values, dimensions)
        wanted.update({name: int(sum(each)) for name, each in values.items()})
    found: Counter[str] = Counter()
    for line in measurements.lines(stage, 5):
        text = json.dumps(line)
        assert len(text) <= 1_000_000
        named = directives(line)
        assert 1 <= len(named) <= 100
        for name, directive in named.items():
            given_values = line[name] if isinstance(line[name], list) else [line[name]]
            assert 1 <= len(given_values) <= 100
            found[name] += int(sum(given_values))
            for dimension_set in directive["Dimensions"]:
                assert len(dimension_set) <= 30
                assert all(1 <= len(line[one]) <= 1024 for one in dimension_set)
                assert all(line[one].isascii() and line[one].isprintable() for one in dimension_set)
    assert +found == +wanted


def test_counts_are_sums_and_spans_are_values() -> None:
    measurements = Measurements()
    for _ in range(3):
        measurements.add({"Launches": 2, "LaunchLateness": [7, 9]}, {})
    [line] = measurements.lines("prod", 5)
    assert METRICS["Launches"].unit == COUNT
    assert (line["Launches"], line["LaunchLateness"]) == (6, [7, 9] * 3)
