"""What is written is what is read; what surprises is refused with its line."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.documents import parse
from cli.errors import Unreadable
from cli.output import to_yaml
from cli.yaml_reader import NODES, read_yaml


def read(text: str) -> Any:
    (found,) = read_yaml(text, "job.yaml")
    return found[1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-24T18:00:00", "2026-12-24T18:00:00"),
        ("2026-12-24", "2026-12-24"),
        ("2026-12-24 18:00:00 +01:00", "2026-12-24 18:00:00 +01:00"),
        ("22:30", "22:30"),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("012", "012"),
        ("1_000", "1_000"),
        ("0x10", 16),
        ("0o17", 15),
        ("-5", -5),
        ("+5", 5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.5", 1.5),
        (".", "."),
        ("e5", "e5"),
        ("true", True),
        ("~", None),
        ("''", ""),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("=", "="),
    ],
)
def test_a_word_means_what_it_looks_like(written: str, meant: object) -> None:
    assert read(f"x: {written}") == {"x": meant}


def test_keys_stay_as_they_are_written() -> None:
    assert read("on: 1\n2026: 2\ntrue: 3\n") == {"on": 1, "2026": 2, "true": 3}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' appears twice; it is on line 1"),
        ("a:\n  b: 1\n  b: 1\n", 3, "appears twice"),
        ("x: .nan\n", 1, "no number"),
        ("y: 1\nx: NaN\n", 2, "no number"),
        ("x: -.inf\n", 1, "no number"),
        ("x: 1e999\n", 1, "too large"),
        ("x: 1" + "0" * 5000, 1, "more than 40 digits"),
        ("a: 1\n" + "b: " + "[" * 5000, 2, "deeper than"),
        ("a: 1\nb: " + "{x: " * 5000, 2, "deeper than"),
        ("x: *nothing\n", 1, "not defined before"),
        ("x: &a [*a]\n", 1, "not defined before"),
        ("x: !!python/object:os.system {}\n", 1, "tag"),
        ("x: !!timestamp 2026-01-01\n", 1, "tag"),
        ("x: {<<: {a: 1}}\n", 1, "merge"),
        ("? [a]\n: 1\n", 1, "a key is a word"),
        ("a: 1\nb: [1, 2\n", 3, ""),
        ("a: 1\n\tb: 2\n", 2, ""),
        ("a: 1\nb: \x01\n", 2, "U+0001"),
        ("a: 'open\n", 2, ""),
    ],
)
def test_what_surprises_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_yaml(text, "job.yaml")
    assert refused.value.message.startswith(f"job.yaml, line {line}")
    assert words in refused.value.message


def test_aliases_are_read_but_do_not_unfold_without_bound() -> None:
    assert read("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    with pytest.raises(Unreadable, match=f"more than {NODES}"):
        read_yaml("l0: &l0 [lol]\n" + levels, "job.yaml")


def test_documents_between_dashes_know_their_line() -> None:
    assert [line for line, _ in read_yaml("---\na: 1\n---\n---\nb: 2\n", "x")] == [2, 5]


_TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc-on 1:", max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.text("abcyn ", min_size=1, max_size=6), _TREES, min_size=1, max_size=4))
def test_what_we_write_we_read_back(document: dict[str, Any]) -> None:
    (loaded,) = parse(to_yaml(document), "text")
    assert loaded.document == document


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unreadable):
        parse(text, "text")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "'a' appears twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1' + "0" * 5000 + "}", "more than 40 digits"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"a": 1,}', "line 1, column"),
        ("[]", "holds no document"),
        ("[1]", "not a single value"),
        ("", "line 1"),
    ],
)
def test_json_is_read_as_strictly(text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        parse(text, "job.json")


def test_a_flow_mapping_is_yaml_and_tabs_are_json() -> None:
    assert parse("{a: b}", "x").pop().document == {"a": "b"}
    assert parse('{\n\t"a": "\\ud83d\\ude00"}', "x").pop().document == {"a": "😀"}
