"""Expressions made at random, over the whole grammar."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.schedule.oracle import MONTHS, WEEKDAYS


def expression(chance: Random) -> str:
    """Six or seven fields of Quartz."""
    days = _month_day(chance), "?"
    if chance.random() < 0.5:
        days = "?", _week_day(chance)
    year = chance.choice(
        [
            "",
            "",
            "",
            " *",
            f" {chance.randint(1970, 2100)}-{chance.randint(2101, 2199)}",
            f" {chance.randint(1970, 2060)}/{chance.randint(1, 9)}",
        ]
    )
    second = chance.choice(["0", "0", "0", _values(chance, 0, 59)])
    times = f"{second} {_values(chance, 0, 59)} {_values(chance, 0, 23)}"
    return f"{times} {days[0]} {_month(chance)} {days[1]}{year}"


def _values(chance: Random, low: int, high: int) -> str:
    """A list of one to three: any, single, range, wrapped range, step."""
    if chance.random() < 0.15:
        return "*"
    return ",".join(_item(chance, low, high) for _ in range(chance.choice([1, 1, 1, 2, 3])))


def _item(chance: Random, low: int, high: int) -> str:
    first, last = chance.randint(low, high), chance.randint(low, high)
    step = chance.randint(1, high - low)
    return chance.choice(
        [
            str(first),
            str(first),
            f"{first}-{last}",
            f"{first}-{last}/{step}",
            f"{first}/{step}",
            f"*/{step}",
            f"/{step}",
        ]
    )


def _named(chance: Random, names: Sequence[str]) -> str:
    first, last = chance.choice(names), chance.choice(names)
    text = chance.choice([first, f"{first}-{last}", f"{first},{last}", f"{first}-{last},{first}"])
    return chance.choice([text, text.lower(), text.title()])


def _month(chance: Random) -> str:
    return chance.choice(["*", "*", _values(chance, 1, 12), _named(chance, MONTHS)])


def _month_day(chance: Random) -> str:
    day = chance.randint(1, 31)
    back = chance.randint(1, 30)
    return chance.choice(
        ["*", "L", "LW", f"L-{back}", f"L-{back}W", f"{day}W", str(day), "lw", f"{day}w"]
        + [_values(chance, 1, 31)] * 4
    )


def _week_day(chance: Random) -> str:
    number, name, nth = chance.randint(1, 7), chance.choice(WEEKDAYS), chance.randint(1, 5)
    return chance.choice(
        ["*", "L", f"{number}L", f"{name}L", f"{name.lower()}L", f"{number}#{nth}", f"{name}#{nth}"]
        + [_values(chance, 1, 7), _named(chance, WEEKDAYS)] * 3
    )
