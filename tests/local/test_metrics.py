"""Metrics as CloudWatch reads them: one line of JSON, its names from the table."""

from __future__ import annotations

import io
import json

from chalicelib.engine.facts import RunMoved
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.metrics import METRICS, NAMESPACE


def test_a_failure_is_counted_by_stage_and_reason() -> None:
    stream = io.StringIO()
    log = JsonLog(stream, "off", lambda: 5)
    log(RunMoved(5, "job", "one", 1, "FAILED", "RUN_FAILED", "boom"))
    assert stream.getvalue() == ""
    log.stage = "prod"
    log(RunMoved(5, "job", "one", 1, "FAILED", "RUN_FAILED", "boom"))
    line = json.loads(stream.getvalue())
    directives = {each["Metrics"][0]["Name"]: each for each in line["_aws"]["CloudWatchMetrics"]}
    assert set(directives) == {"Ends", "Failures"}
    assert directives["Failures"]["Namespace"] == NAMESPACE
    assert directives["Failures"]["Dimensions"] == METRICS["Failures"].dimensions
    assert (line["Stage"], line["Reason"], line["Failures"]) == ("prod", "RUN_FAILED", 1.0)
    assert "boom" not in stream.getvalue()
