"""What a launch costs: calls of AWS and statements of SQL, counted; a change of them is to be meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.cloud.offers import StepFunctions
from tests.cloud_zip.account import MINUTE_MS, Account, Run

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


def swept(account: Account) -> None:
    account.ring()
    account.drain()


def told(what: str, asked: Mapping[str, int], found: Counter[str]) -> str:
    calls = ", ".join(f"{count} {name}" for name, count in sorted(asked.items()))
    return f"{what}: {calls or 'no call'}; {found.total()} statements, {found['SELECT']} of them SELECT"
