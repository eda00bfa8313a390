"""What a launch costs: calls of AWS and statements of SQL, counted; a change of them is to be meant."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.notifications.metrics import METRICS
from tests.cloud.offers import StepFunctions
from tests.cloud_zip.account import MINUTE_MS, Account, Run
from tests.cloud_zip.deploying import ROOT
from tests.cloud_zip.test_completions import announce

LAUNCH = 40  # statements at most, from the sweep to the settled launches: 28 in one go
END = 44  # at most, from the sweep to the settled ends: 32 in one go
Told = Callable[[str, object], None]


def counted(statements: list[str]) -> Counter[str]:
    """By their first word. Left out is what depends on the second in which the test runs: the second
    hand's note, and looks at the database's clock; and what merely sets a connection up."""
    words = (
        text.split(maxsplit=1)[0]
        for unit in _units(statements)
        if not any("second-hand" in text or text.startswith("SELECT UNIX_") for text in unit)
        for text in unit
    )
    return Counter(word for word in words if word not in ("SET", "SHOW"))


def _units(statements: list[str]) -> Iterator[list[str]]:
    """Transactions, and what stands alone."""
    unit: list[str] = []
    for text in statements:
        unit.append(text)
        if not unit[0].startswith("START") or text in ("COMMIT", "ROLLBACK"):
            yield unit
            unit = []


def submitted(account: Account, machine: StepFunctions, number: int) -> list[Run]:
    """Due, and nothing sent yet but that: the alarm will find them."""
    runs = [account.submit("step_functions", machine.spec) for _ in range(number)]
    account.discard("wake")
    return runs


def costs(account: Account, do: Callable[[], None]) -> tuple[dict[str, int], Counter[str]]:
    account.amazon.gate.calls.clear()
    with account.statements() as statements:
        do()
    asked = Counter(account.amazon.gate.calls)
    for polling in ("ReceiveMessage", "DeleteMessage", "SendMessage"):
        del asked[polling]
    return dict(asked), counted(statements)


@pytest.fixture
def started(account: Account) -> StepFunctions:
    """Everything is warm: what only a first event costs is not counted."""
    made = StepFunctions(account.amazon)
    account.submit("step_functions", made.spec)
    account.drain()
    account.ring(2)  # housekeeping has had its turn
    return made


def test_an_idle_sweep_asks_one_question(account: Account, record_property: Told) -> None:
    account.ring()
    asked, statements = costs(account, account.ring)
    record_property("measured", told("an idle sweep", asked, statements))
    assert asked == {}
    assert statements == {"SELECT": 1}


@pytest.mark.parametrize("number", [1, 10])
def test_launches(
    account: Account, started: StepFunctions, record_property: Told, number: int
) -> None:
    """A launch is one call; all the rest is for the batch, whatever its size."""
    submitted(account, started, number)
    asked, found = costs(account, lambda: swept(account))
    record_property("measured", told(f"launching {number} together", asked, found))
    assert asked["StartExecution"] == number
    assert found.total() <= LAUNCH


def test_ends(account: Account, started: StepFunctions, record_property: Told) -> None:
    runs = submitted(account, started, 10)
    swept(account)
    for run in runs:
        started.end(run.external_id, well=True)
    account.later(2 * MINUTE_MS)
    asked, found = costs(account, lambda: swept(account))
    record_property("measured", told("finding the ends of 10 by polls", asked, found))
    assert asked["DescribeExecution"] == 11  # one made everything warm
    assert found.total() <= END
    assert {run.shown()["state"] for run in runs} == {"SUCCEEDED"}


MANY = 50  # of one event: five messages of ten
COUNTS = ROOT / "infra" / "counts.json"
NOT_COUNTED = ("ReceiveMessage", "DeleteMessage", "SendMessage")
"""The simulator's own, and the second hand's, which depends on the second in which the test runs."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of a run's life took, of everything that is paid for."""

    invocations: dict[str, int]
    calls: dict[str, int]
    statements: int
    log_bytes: int
    metrics: set[tuple[str, ...]]
    cpu_ms: float


def metered(account: Account, do: Callable[[], None]) -> Part:
    used = {name: one.invocations for name, one in account.functions.items()}
    logs = {name: len(one.logged()) for name, one in account.functions.items()}
    cpu_s = sum(one.cpu_s() for one in account.functions.values())
    account.amazon.gate.calls.clear()
    with account.statements() as statements:
        do()
    lines = [
        line
        for name, one in account.functions.items()
        for line in one.logged()[logs[name] :].splitlines()
    ]
    return Part(
        invocations={
            name: one.invocations - used[name]
            for name, one in account.functions.items()
            if one.invocations > used[name]
        },
        calls={
            name: count
            for name, count in account.amazon.gate.calls.items()
            if name not in NOT_COUNTED
        },
        statements=counted(statements).total(),
        log_bytes=sum(len(line) + 1 for line in lines),
        metrics=set(_metrics(lines)),
        cpu_ms=(sum(one.cpu_s() for one in account.functions.values()) - cpu_s) * 1000,
    )


def _metrics(lines: list[bytes]) -> Iterator[tuple[str, ...]]:
    """Each with the values of its dimensions: what CloudWatch keeps, and charges for, apart."""
    for line in lines:
        document = json.loads(line) if line.startswith(b"{") else {}
        for told in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in told["Metrics"]:
                for dimensions in told["Dimensions"]:
                    yield metric["Name"], *(str(document[one]) for one in dimensions)


def test_the_cost_page_counts_what_is_done(account: Account, record_property: Told) -> None:
    """One source of truth: infra/counts.json. A change of what a run takes is to be meant, and told there;
    the page is made of it (``make docs``)."""
    started = StepFunctions(account.amazon)
    warm = account.submit("step_functions", started.spec)
    account.drain()
    started.end(warm.external_id, well=True)
    announce(account, started, warm)
    account.drain()
    account.ring(2)
    runs = submitted(account, started, MANY)
    account.later(MINUTE_MS)  # the last of them were asked for in this very second
    parts = {"sweep": metered(account, account.ring)}
    parts["launch"] = metered(account, lambda: worked_off(account))
    parts["poll"] = metered(account, lambda: polled(account))
    for run in runs:
        started.end(run.external_id, well=True)
    ids = {run.id: run.external_id for run in runs[:11]}
    announce(account, started, runs[0], external_id=ids[runs[0].id])
    worked_off(account)

    def each_alone() -> None:
        for run in runs[1:11]:
            announce(account, started, run, external_id=ids[run.id])
            worked_off(account)

    parts["end"] = metered(account, each_alone)
    expected = json.loads(COUNTS.read_text(encoding="utf-8"))
    for name, part in parts.items():
        of = 10 if name == "end" else MANY
        heading = (
            f"counts of {name}, {of}: {part.statements} statements, {part.log_bytes} bytes of log"
        )
        record_property("measured", f"{heading}, {part.cpu_ms:.0f} ms of a whole processor")
    for name, part in parts.items():
        of = expected[name]["runs"]
        assert told_apart(part, of) == told_apart_in(expected[name]), name
        assert part.statements == pytest.approx(expected[name]["statements"], rel=0.1), name
        assert part.log_bytes == pytest.approx(expected[name]["log_bytes"], rel=0.5), name
    assert all(metric[0] in METRICS for part in parts.values() for metric in part.metrics)


def told_apart(part: Part, runs: int) -> object:
    return runs, part.invocations, part.calls


def told_apart_in(expected: Mapping[str, Any]) -> object:
    return expected["runs"], expected["invocations"], expected["calls"]


def polled(account: Account) -> None:
    account.later(MINUTE_MS)
    account.ring()
    worked_off(account)


def worked_off(account: Account) -> None:
    """What is launched and asked; when the second hand comes depends on the second."""
    while account.poll("launch"):
        pass


def swept(account: Account) -> None:
    account.ring()
    account.drain()


def told(what: str, asked: Mapping[str, int], found: Counter[str]) -> str:
    calls = ", ".join(f"{count} {name}" for name, count in sorted(asked.items()))
    return f"{what}: {calls or 'no call'}; {found.total()} statements, {found['SELECT']} of them SELECT"
