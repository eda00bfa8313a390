"""One field of a cron expression: lists, ranges that may wrap around, steps and names, as a set of bits.

Whatever is not understood is refused; nothing is dropped, and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What a field may hold: ``low`` to ``high``.

    ``wraps``: a range may go on over the end. ``lone_steps``: ``5/15`` and ``/15`` are steps, as in Quartz.
    """

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    special: str = ""
    wraps: bool = True
    lone_steps: bool = True
    largest_step: int = 0

    def described(self) -> str:
        names = f" or {next(iter(self.names))}" if self.names else ""
        return f"{self.low} to {self.high}{names}"


SECONDS = Field("second", 0, 59, largest_step=59)
MINUTES = Field("minute", 0, 59, largest_step=59)
HOURS = Field("hour", 0, 23, largest_step=23)
DAYS = Field("day of month", 1, 31, special="W", largest_step=31)
MONTH = Field("month", 1, 12, {name: i for i, name in enumerate(MONTHS, 1)}, largest_step=12)
WEEKDAY = Field(
    "day of week",
    1,
    7,
    {name: i for i, name in enumerate(WEEKDAYS, 1)},
    special="L or #",
    largest_step=7,
)
YEAR = Field("year", 1970, 2199, wraps=False, largest_step=229)


class FieldError(ValueError):
    """What is wrong with a field, in words that follow ``"text" in day of month``."""

    def __init__(self, text: str, complaint: str, remedy: str = "", offset: int = 0) -> None:
        super().__init__(complaint)
        self.text, self.complaint, self.remedy, self.offset = text, complaint, remedy, offset


def every_value(field: Field) -> int:
    """All the bits of a field."""
    return (1 << field.high + 1) - (1 << field.low)


@lru_cache(maxsize=4096)
def values_of(field: Field, text: str) -> int:
    """The bits of the values that a field of lists, ranges and steps names; upper case.

    Raises:
        FieldError: a piece of it is not understood.
    """
    bits, offset = 0, 0
    for item in text.split(","):
        if not item:
            raise FieldError(
                text, "has a comma with nothing beside it", "write one value between commas"
            )
        try:
            bits |= _item(field, item)
        except FieldError as error:
            error.offset += offset
            raise
        offset += len(item) + 1
    return bits


def _item(field: Field, item: str) -> int:
    """``*``, ``5``, ``MON``, ``1-5``, and each with ``/step``."""
    values, slash, step_text = item.partition("/")
    step = _step(field, item, step_text) if slash else 1
    if values == "*" or (slash and not values and field.lone_steps):
        return _bits(field, field.low, field.high, step)
    first, dash, last = values.partition("-")
    low = _value(field, item, first)
    if dash:
        high = _value(field, item, last)
        _check_range(field, item, (first, low), (last, high), stepped=bool(slash))
        return _bits(field, low, high, step)
    if not slash:
        return 1 << low
    if not field.lone_steps:
        raise FieldError(item, "steps from a single value", f"write {low}-{field.high}/{step}")
    if first in field.names:
        remedy = f"write {low}/{step_text}"
        raise FieldError(item, "steps from a name, which Quartz ignores", remedy)
    return _bits(field, low, field.high, step)


def _check_range(
    field: Field, item: str, first: tuple[str, int], last: tuple[str, int], *, stepped: bool
) -> None:
    """Names or numbers, not both; steps through numbers only; no wrapping where there is no cycle."""
    low, high = first[1], last[1]
    if (first[0] in field.names) != (last[0] in field.names):
        raise FieldError(item, "mixes a name and a number", f"write {low}-{high}")
    if stepped and first[0] in field.names and field.lone_steps:
        remedy = f"write {low}-{high}{item[item.index('/') :]}"
        raise FieldError(item, "steps through names, which Quartz ignores", remedy)
    if low > high and not field.wraps:
        two = f"write two ranges: {low}-{field.high},{field.low}-{high}"
        remedy = f"write {high}-{low}" if field is YEAR else two
        raise FieldError(item, "is a range that ends before it begins", remedy)


def _step(field: Field, item: str, text: str) -> int:
    largest = field.largest_step
    if not _NUMBER.fullmatch(text):
        raise FieldError(
            item, _not_understood(field), f"a step is a number, as in {field.low}/5 or */5"
        )
    if not 1 <= int(text) <= largest:
        raise FieldError(
            item, f"has a step of {text}", f"a step of the {field.name} is 1 to {largest}"
        )
    return int(text)


def _value(field: Field, item: str, text: str) -> int:
    value = field.names.get(text)
    if value is not None:
        return value
    if not _NUMBER.fullmatch(text):
        raise FieldError(item, _not_understood(field), f"write {field.described()}")
    number = int(text)
    if not field.low <= number <= field.high:
        raise FieldError(item, "is out of range", f"the {field.name} is {field.described()}")
    return number


def _not_understood(field: Field) -> str:
    kinds = ["a number", *(["a name"] if field.names else []), "a range"]
    last = field.special
    return (
        f"is not {', '.join(kinds)} or {last}"
        if last
        else f"is not {', '.join(kinds[:-1])} or {kinds[-1]}"
    )


def _bits(field: Field, low: int, high: int, step: int) -> int:
    """The values from ``low`` to ``high``, on over the end of the field if it comes first."""
    size = field.high - field.low + 1
    if high < low:
        high += size
    bits = 0
    for value in range(low, high + 1, step):
        bits |= 1 << (field.low + (value - field.low) % size)
    return bits


def members(bits: int) -> list[int]:
    """The values of the bits, in order."""
    return [value for value in range(bits.bit_length()) if bits >> value & 1]
