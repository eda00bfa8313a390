"""What is refused at submission, in words that help; and kinds that somebody else adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from chalicelib.engine.outcomes import (
    Dropped,
    Failed,
    Launched,
    Outcome,
    Pending,
    Running,
    Stopped,
    Style,
    Succeeded,
    Unknown,
)
from chalicelib.engine.ports import Artifacts, Control, LaunchRequest, Targets
from chalicelib.model.document import Document
from chalicelib.model.errors import InvalidInput
from chalicelib.targets import TargetRegistry, TargetSettings
from chalicelib.targets.kind import InlineKind, StartedKind, in_parallel
from tests.targets.hands import FixedClock, Hand, a_request


def problems(
    registry: TargetRegistry, parameters: Sequence[str] | None = None, /, **target: Any
) -> Mapping[str, str]:
    """Field to message."""
    try:
        registry.validate(target, parameters)
    except InvalidInput as error:
        return {problem.field: problem.message for problem in error.problems}
    return {}


def sql(**more: Any) -> dict[str, Any]:
    return {"kind": "sql", "connection": "shop", "query": "SELECT 1", **more}


def http(**more: Any) -> dict[str, Any]:
    return {"kind": "http", "url": "https://api.example.com/x", **more}


def process(**more: Any) -> dict[str, Any]:
    return {"kind": "process", "command": ["true"], **more}


def test_it_is_the_port(registry: TargetRegistry) -> None:
    targets: Targets = registry
    artifacts: Artifacts = registry
    assert artifacts
    inline = {kind for kind in registry.specs() if targets.style(kind) is Style.INLINE}
    assert inline == {"http", "lambda_sync", "process", "sql"}


def test_every_field_is_described(registry: TargetRegistry) -> None:
    for kind, spec in registry.specs().items():
        fields = spec.model_json_schema()["properties"]
        assert fields.pop("kind")["const"] == kind
        assert [name for name in fields if "description" not in fields[name]] == []


@pytest.mark.parametrize("target", [sql(), http(), process()])
def test_sound_targets(registry: TargetRegistry, target: dict[str, Any]) -> None:
    assert problems(registry, **target) == {}


@pytest.mark.parametrize(
    ("target", "field", "words"),
    [
        ({}, "target.kind", "glue, http, lambda"),
        ({"kind": 7}, "target.kind", "glue, http, lambda"),
        ({"kind": "sqll"}, "target.kind", "did you mean sql?"),
        ({"kind": "lamda"}, "target.kind", "did you mean lambda?"),
        ({"kind": "nothing"}, "target.kind", "there are athena, aws"),
        (sql(querry="x"), "target.querry", "query"),
        (sql(connection="shopp"), "target.connection", "did you mean shop?"),
        (sql(connection="${parameters.c}"), "target.connection", "without placeholders"),
        (sql(query=""), "target.query", "no statement"),
        (sql(query="SELECT 1; DROP TABLE x"), "target.query", "more than one statement"),
        (sql(query="SELECT '${parameters.a}'"), "target.query", ":parameter"),
        (sql(query="SELECT :contry"), "target.query", ":contry is nothing"),
        (sql(result="../x.csv"), "target.result", "'..'"),
        (sql(result="/etc/x.csv"), "target.result", "absolute"),
        (sql(result="s3://bucket"), "target.result", "no object of S3"),
        (sql(result="http://bucket/x.csv"), "target.result", "local files"),
        (sql(result="runs/x.csv"), "target.result", "logs"),
        (sql(result="x.txt"), "target", "format"),
        (sql(max_rows=0), "target.max_rows", "1"),
        (http(url="ftp://x/"), "target.url", "https://host/path"),
        (http(url="not a url"), "target.url", "https://host/path"),
        (http(url="https://user:pw@x/"), "target.url", "credentials"),
        (http(url="https://x/a b"), "target.url", "%20"),
        (http(url="https://x:99999/"), "target.url", "no URL"),
        (http(url="http://10.0.0.1/"), "target.url", "NOONDAY_HTTP_ALLOW=10.0.0.1"),
        (http(url="http://169.254.169.254/x?d=${nominal_time}"), "target.url", "NOONDAY_HTTP_ALLOW"),
        (http(url="http://[::1]/"), "target.url", "NOONDAY_HTTP_ALLOW"),
        (http(method="get"), "target.method", "GET"),
        (http(headers={"A\nB": "x"}), "target.headers", "no name of a header"),
        (http(headers={"A": "x\r\nB: y"}), "target.headers", "one line"),
        (http(headers={"Host": "x"}), "target.headers", "leave it out"),
        (http(expected_status=["2x"]), "target.expected_status", "2xx"),
        (http(expected_status=[99]), "target.expected_status", "200 to 599"),
        (http(timeout="5 minutes"), "target.timeout", "PT15M"),
        (http(result="a/../../b"), "target.result", "'..'"),
        (process(command="ls -l"), "target.command", "list"),
        (process(command=[]), "target.command", "at least 1"),
        (process(command=[""]), "target.command", "names the program"),
        (process(command=["a\0b"]), "target.command", "NUL"),
        (process(env={"A=B": "x"}), "target.env", "'A=B'"),
        (process(env={"NOONDAY_TOKEN": "x"}), "target.env", "set by Noonday"),
        (process(cwd="/etc"), "target.cwd", "absolute"),
        (process(success_codes=[]), "target.success_codes", "at least 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    registry: TargetRegistry, target: dict[str, Any], field: str, words: str
) -> None:
    found = problems(registry, ["country"], **target)
    assert field in found, found
    assert words in found[field]


def test_everything_wrong_is_named_at_once(registry: TargetRegistry) -> None:
    target = sql(connection="x", query="", result="/x.csv", max_rows=0, more=1)
    assert set(problems(registry, **target)) == {
        f"target.{name}" for name in ("connection", "query", "result", "max_rows", "more")
    }


@pytest.mark.parametrize(
    "target",
    [
        http(url="https://${parameters.host}/x"),
        http(url="${parameters.url}"),
        sql(result="${parameters.path}.csv"),
        process(cwd="${parameters.cwd}"),
    ],
)
def test_what_each_run_decides_is_judged_at_launch(
    registry: TargetRegistry, target: dict[str, Any]
) -> None:
    assert problems(registry, **target) == {}


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("http", {"url": "http://127.0.0.2/"}, "target.url"),
        ("sql", {"connection": "shop", "query": "SELECT 1", "result": "../x.csv"}, "target.result"),
        ("process", {"command": ["true"], "cwd": "../.."}, "target.cwd"),
    ],
)
def test_and_there_it_is_refused_for_good(
    registry: TargetRegistry, kind: str, spec: dict[str, Any], field: str
) -> None:
    hand = Hand()
    outcome = registry.run(a_request(kind, spec), hand)
    assert isinstance(outcome, Failed)
    assert field in outcome.error
    assert not outcome.retry
    assert hand.handle is None


def test_without_connections_the_operator_learns_how_to_register_one(tmp_path: Path) -> None:
    registry = TargetRegistry(TargetSettings(tmp_path, tmp_path), FixedClock())
    message = problems(registry, **sql(connection="ware-house"))["target.connection"]
    assert "NOONDAY_CONNECTION_WARE_HOUSE=" in message


def test_where_no_files_last_none_is_promised(settings: TargetSettings) -> None:
    registry = TargetRegistry(replace(settings, keeps_files=False), FixedClock())
    for target in (sql(result="report.csv"), http(result="answer.json")):
        assert "keep no files" in problems(registry, **target)["target.result"]
    assert problems(registry, **sql()) == {}


def test_programs_are_off_by_default(tmp_path: Path) -> None:
    registry = TargetRegistry(TargetSettings(tmp_path, tmp_path), FixedClock())
    assert "NOONDAY_PROCESS=on" in problems(registry, **process())["target.kind"]


class Trip(Document):
    kind: Literal["trip"]
    far: int = 1


class TripKind(StartedKind[Trip]):
    """Remembers what it was asked; fails as it is told."""

    name = "trip"
    spec = Trip

    def __init__(self) -> None:
        self.launched: list[str] = []
        self.error: Exception | None = None

    def launch(self, requests: Sequence[tuple[Trip, LaunchRequest]]) -> Sequence[Outcome]:
        if self.error:
            raise self.error
        self.launched += [request.token for _, request in requests]
        return in_parallel(lambda asked: Launched(f"{asked[1].token}/{asked[0].far}"), requests)

    def describe(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [Running() for _ in requests]

    def cancel(self, requests: Sequence[LaunchRequest]) -> Sequence[Outcome]:
        return [Pending() for _ in requests]


@pytest.fixture
def trips(registry: TargetRegistry) -> TripKind:
    kind = TripKind()
    registry.register(kind)
    return kind


def test_a_new_kind_is_one_registration(registry: TargetRegistry, trips: TripKind) -> None:
    assert registry.style("trip") is Style.STARTED
    assert set(problems(registry, kind="trip", far="x")) == {"target.far"}
    outcomes = registry.launch([a_request("trip", {"far": 2}, token="a-1")])
    assert outcomes == [Launched("a-1/2")]
    assert trips.launched == ["a-1"]
    with pytest.raises(ValueError, match="already"):
        registry.register(TripKind())


def test_outcomes_come_in_the_order_of_the_requests(
    registry: TargetRegistry, trips: TripKind
) -> None:
    requests = [
        a_request("trip", {}, token="a-1"),
        a_request("sql", {}, token="b-1"),
        a_request("trip", {"far": "x"}, token="c-1"),
        a_request("none", {}, token="d-1"),
        a_request("trip", {"far": 3}, token="e-1"),
    ]
    first, inline, refused, unknown, last = registry.launch(requests)
    assert (first, last) == (Launched("a-1/1"), Launched("e-1/3"))
    for outcome in (inline, refused, unknown):
        assert isinstance(outcome, Failed)
        assert not outcome.retry
    assert trips.launched == ["a-1", "e-1"]
    assert registry.describe(requests[:1]) == [Running()]
    assert registry.cancel(requests[:1]) == [Pending()]


def test_a_call_that_raises_may_have_been_accepted(
    registry: TargetRegistry, trips: TripKind
) -> None:
    trips.error = RuntimeError("no answer")
    assert registry.launch([a_request("trip", {})]) == [Unknown("RuntimeError: no answer")]


class Whim(Document):
    kind: Literal["whim"]


class WhimKind(InlineKind[Whim]):
    """Raises."""

    name = "whim"
    spec = Whim

    def run(self, spec: Whim, request: LaunchRequest, control: Control) -> Outcome:
        control.begin({"spec": spec.kind, "token": request.token})
        raise RuntimeError("nobody thought of this")


def test_run_never_raises(registry: TargetRegistry) -> None:
    registry.register(WhimKind())
    outcome = registry.run(a_request("whim", {}), Hand())
    assert outcome == Failed("RuntimeError: nobody thought of this", retry=True)


def test_a_run_that_was_taken_is_dropped_and_one_that_was_stopped_is_stopped(
    registry: TargetRegistry,
) -> None:
    registry.register(WhimKind())
    stopped = Hand()
    stopped.stop()
    assert registry.run(a_request("whim", {}), Hand(taken=True)) == Dropped()
    assert registry.run(a_request("whim", {}), stopped) == Stopped()


def test_a_run_of_an_unknown_kind_fails(registry: TargetRegistry) -> None:
    outcome = registry.run(a_request("gone", {}), Hand())
    assert isinstance(outcome, Failed)
    assert not outcome.retry


def test_the_registry_reads_what_runs_leave(registry: TargetRegistry) -> None:
    spec = {"connection": "shop", "query": "SELECT 1 AS a", "result": "x.csv"}
    outcome = registry.run(a_request("sql", spec), Hand())
    assert isinstance(outcome, Succeeded)
    assert registry.read(str(outcome.result_path)) == b"a\n1\n"
    assert b"SELECT 1" in registry.read(str(outcome.log_path))
