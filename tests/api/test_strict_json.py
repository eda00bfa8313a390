"""JSON that two readers could understand differently is refused, and the refusal says why."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.strict_json import MAX_DEPTH, parse
from chalicelib.model.errors import Malformed

REFUSED = {
    "no JSON": (b'{"a": ', "line 1, column 7"),
    "a trailing comma": (b'{"a": 1,}', "column 9"),
    "single quotes": (b"{'a': 1}", "column 2"),
    "two values": (b"{} {}", "Extra data"),
    "nothing but space": (b"  ", "Expecting value"),
    "NaN": (b'{"a": NaN}', "NaN is no JSON number"),
    "infinity": (b'{"a": -Infinity}', "-Infinity is no JSON number"),
    "a number beyond all": (b'{"a": 1e999}', "1e999 is too large"),
    "a number of many digits": (b'{"a": ' + b"9" * 5000 + b"}", "5000 digits"),
    "a key given twice": (b'{"a": {"name": 1, "b": 2, "name": 3}}', "'name' is given twice"),
    "invalid UTF-8": (b'{"a": "\xff"}', "byte 7 is 0xff"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', "BOM"),
    "half a surrogate pair": (rb'{"a": "\ud800"}', "half a surrogate pair"),
    "half a pair in a key": (rb'{"\udc00": 1}', "half a surrogate pair"),
    "a control character": (b'{"a": "\x01"}', "control character"),
    "arrays nested thousands deep": (b"[" * 100_000, "deeper than 64"),
    "objects nested thousands deep": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "deeper than 64"),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_and_why(body: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        parse(body)


def test_brackets_in_texts_are_no_nesting() -> None:
    text = "[" * 500 + '\\"{' + "]"
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}


def test_the_deepest_that_is_read() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert json.dumps(parse(deepest)).count("[") == MAX_DEPTH
    with pytest.raises(Malformed):
        parse(b"[" + deepest + b"]")


def test_whole_surrogate_pairs_are_characters() -> None:
    assert parse(rb'"\ud83c\udf55"') == "🍕"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_everything_else_is_read_as_everybody_reads_it(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse(text.encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    try:
        parse(body)
    except Malformed as error:
        assert error.message  # noqa: PT017 -- either outcome is right, no third one is
