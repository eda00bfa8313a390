"""What travels through queues is read strictly: whatever this program would not write is refused."""

from __future__ import annotations

import json

import pytest

from chalicelib.engine.ports import HandedOut
from chalicelib.notifications.messages import (
    MOST,
    WakeUp,
    read_handed_out,
    read_wake_up,
    write_handed_out,
    write_wake_up,
)

ID = "0123456789abcdef0123456789abcdef"
NONE = (ValueError, KeyError, TypeError, RecursionError)


@pytest.mark.parametrize("at_ms", [0, 1_795_500_000_000, MOST])
def test_what_is_written_is_read(at_ms: int) -> None:
    assert read_wake_up(write_wake_up(WakeUp(at_ms, 0))) == WakeUp(at_ms, 0)
    handed = [HandedOut(ID, 1), HandedOut(ID[::-1], at_ms)]
    assert read_handed_out(write_handed_out(handed)) == handed


@pytest.mark.parametrize(
    "number", ["1e999", "NaN", "-1", str(MOST + 1), "1.5", '"1"', "null", "[]"]
)
def test_a_number_that_is_none(number: str) -> None:
    with pytest.raises(NONE):
        read_wake_up(f'{{"at_ms": {number}, "arm_until_ms": 0}}')
    with pytest.raises(NONE):
        read_handed_out(f'[["{ID}", {number}]]')


@pytest.mark.parametrize(
    "name", ["", ID.upper(), ID[1:], f"{ID}0", f"{ID}\n", "\ud800", 7, None, [ID]]
)
def test_an_id_that_is_none(name: object) -> None:
    with pytest.raises(NONE):
        read_handed_out(json.dumps([[name, 1]]))


@pytest.mark.parametrize("body", ["", "x", "7", "[[]]", '["ab"]', "[" * 100_000])
def test_a_body_that_is_none(body: str) -> None:
    with pytest.raises(NONE):
        read_handed_out(body)
    with pytest.raises(NONE):
        read_wake_up(body)
