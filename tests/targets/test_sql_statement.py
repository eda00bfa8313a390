"""Where parameters are, and where what looks like one is none."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.targets.sql_statement import (
    MYSQL,
    SQLITE,
    Lexis,
    complaint,
    mysql_lexis,
    names,
    pyformat,
)

EITHER = [
    ("SELECT :a, :b_2", {"a", "b_2"}),
    ("SELECT ':a', \":b\", `:c`, :d", {"d"}),
    ("SELECT 'it''s :a', :b", {"b"}),
    ("SELECT 1 -- :a\n, :b", {"b"}),
    ("SELECT /* :a ' */ :b", {"b"}),
    ("SELECT /* ** :a **/ :b", {"b"}),
    ("SELECT ':a", set()),
    ("SELECT /* :a", set()),
    ("SELECT x::text", set()),
    ("SELECT '12:30', 10:30", set()),
    ("SELECT:a", {"a"}),
    ("SELECT a/:b, c-:d", {"b", "d"}),
]


@pytest.mark.parametrize("lexis", [SQLITE, MYSQL])
@pytest.mark.parametrize(("text", "expected"), EITHER)
def test_parameters(text: str, expected: set[str], lexis: Lexis) -> None:
    assert names(text, lexis) == expected


@pytest.mark.parametrize(
    ("text", "lexis", "expected"),
    [
        (r"SELECT '\' :a, '", SQLITE, {"a"}),
        (r"SELECT '\' :a, '", MYSQL, set()),
        (r"SELECT '\' :a, '", mysql_lexis("STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES"), {"a"}),
        (r'SELECT "\" :a, "', mysql_lexis("ANSI_QUOTES"), {"a"}),
        ("SELECT [:a], :b", SQLITE, {"b"}),
        ("SELECT 1 # :a", MYSQL, set()),
        ("SELECT 1--:a", MYSQL, {"a"}),
        ("SELECT 1--:a", SQLITE, set()),
    ],
)
def test_databases_differ(text: str, lexis: Lexis, expected: set[str]) -> None:
    assert names(text, lexis) == expected


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "SELECT 1;", "SELECT 1 ; \n -- end", "SELECT ';'", "/* a; */ SELECT 1;", ":a"],
)
def test_one_statement(text: str) -> None:
    assert complaint(text, SQLITE) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no statement"),
        ("  -- nothing\n", "no statement"),
        (";", "no statement"),
        ("SELECT 1; SELECT 2", "more than one"),
        ("SELECT 1;; ", "more than one"),
        ("SELECT 1; 'x'", "more than one"),
        ("SELECT 1; /* a */ x", "more than one"),
        ("SELECT 1; :a", "more than one"),
    ],
)
def test_not_one_statement(text: str, word: str) -> None:
    assert word in (complaint(text, SQLITE) or "")


def test_for_a_driver_that_formats() -> None:
    query = "SELECT '%s :a', 5 % :b, LIKE '%x' -- %(c)s :c"
    assert pyformat(query, MYSQL) == "SELECT '%%s :a', 5 %% %(b)s, LIKE '%%x' -- %%(c)s :c"
    assert pyformat(query, MYSQL) % {"b": "2"} == query.replace(":b", "2")


PIECES = ["'", '"', "`", "[", "]", "--", "\n", "/*", "*/", ":a", " ", ",", "x", "1", "::", "#"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_sqlite_finds_the_same_parameters(text: str) -> None:
    """Asked with no bindings, SQLite complains about parameters exactly when there are some."""
    query = f"SELECT 1 {text}"
    with sqlite3.connect(":memory:") as db:
        try:
            db.execute(query, {})
        except sqlite3.ProgrammingError as error:
            wants = "binding" in str(error)
        except (sqlite3.Error, sqlite3.Warning):
            return  # no SQL at all
        else:
            wants = False
    db.close()
    assert wants == bool(names(query, SQLITE))


@given(st.sampled_from(["'", '"', "/*", "\\'", "''", "[", "--"]), st.integers(1, 20_000))
def test_no_text_makes_it_slow(piece: str, times: int) -> None:
    names(piece * times, MYSQL)
    names(piece * times, SQLITE)
