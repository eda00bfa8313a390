"""What docs/observability.md says of facts, fields and metrics is what the code writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.notifications.log import BESIDES
from chalicelib.notifications.metrics import METRICS
from docs.log_lines import every_fact
from infra.alarms import wanted
from infra.dashboard import dashboard
from infra.functions import declared
from infra.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
STAGE = Stage(name="dev")
SOURCES = sorted((ROOT / "chalicelib").rglob("*.py"))
WRITERS = {"line": None, "failure": "Failed", "unexpected": "Unexpected"}


def calls() -> Iterator[ast.Call]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def test_every_fact_is_told_somewhere() -> None:
    made = {name_of(call) for call in calls()}
    assert {one.__name__ for one in every_fact()} <= made


def test_every_line_besides_is_documented_with_its_fields() -> None:
    written: dict[str, set[str]] = {name: set() for name in BESIDES}
    for call in calls():
        if name_of(call) not in WRITERS or not isinstance(call.func, ast.Attribute):
            continue
        fact = WRITERS[name_of(call)]
        if fact is None:
            [_, what] = call.args[:2]
            assert isinstance(what, ast.Constant)
            fact = str(what.value)
        fields = {one.arg for one in call.keywords if one.arg is not None}
        for each in ("Failed", "Unexpected") if fact == "Failed" else (fact,):
            written[each] |= fields
    for fact, (_, documented) in BESIDES.items():
        assert written[fact] - {"function"} <= set(documented), fact


def test_every_metric_is_written_somewhere() -> None:
    keys: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                keys |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
    assert set(METRICS) <= keys


def drawn() -> Iterator[tuple[str, frozenset[str]]]:
    """Metrics of ours with the dimensions by which the dashboard and the alarms ask for them."""
    body = dashboard(declared(), STAGE)["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, rest in re.findall(r'\["Noonday","(\w+)",("[^\]{]*)\{', body):
        yield name, frozenset(re.findall(r'"([^"]*)"', rest)[::2])
    for by, name in re.findall(r"\{Noonday,Stage,(\w+)\}.*?MetricName=\\+\"(\w+)", body):
        yield name, frozenset({"Stage", by})
    for alarm in wanted(declared(), STAGE, 1000):
        if alarm.namespace == "Noonday":
            yield alarm.metric, frozenset(alarm.dimensions)


def test_what_is_drawn_and_watched_is_written_by_these_dimensions() -> None:
    found = list(drawn())
    assert len(found) > 15
    for name, dimensions in found:
        metric = METRICS[name]
        kept = [{"Stage"}, {"Stage", metric.by}] if metric.by else [{"Stage"}]
        assert dimensions in kept, name


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_that_is_a_span_says_so(name: str) -> None:
    assert METRICS[name].unit in ("Count", "Milliseconds")
    assert METRICS[name].meaning


def test_every_alarm_says_where_more_is_said() -> None:
    for alarm in wanted(declared(), STAGE, 1000):
        assert alarm.meaning, alarm.name
        assert alarm.remedy, alarm.name
