"""The SQL files, read once: named statements, fragments that differ from database to database.

A file holds statements, each after its name::

    -- name: runs_of
    SELECT @run_columns FROM @listed(:ids) scheduler_instance_runs r ON r.instance_id = listed.value
     WHERE r.state = :state  -- if state

* ``:name`` is a parameter. String literals and comments are left alone.
* A line that ends with ``-- if name`` is there only when that parameter is given (is not None).
* ``@name`` or ``@name(a, b)`` is a fragment: the text after ``-- fragment: name(x, y)``, where ``:x`` and
  ``:y`` stand for what is given.

What a database's own folder defines replaces what ``shared`` defines, name by name; so listing the
folder shows all that differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

SQL = "sql"
_HEAD = re.compile(r"^-- (name|fragment): (\w+)(?:\(([\w, ]+)\))?[ \t]*$", re.MULTILINE)
_REMARK = re.compile(r"^--.*\n?", re.MULTILINE)
_CONDITION = re.compile(r"[ \t]*-- if (\w+)[ \t]*$")
_TOKEN = re.compile(r"(?P<kept>'(?:[^']|'')*'|--[^\n]*)|:(?P<parameter>\w+)|(?P<percent>%)")
_FRAGMENT = re.compile(r"(?P<kept>'(?:[^']|'')*')|@(?P<name>\w+)(?:\((?P<given>[^()]+)\))?")
_MAX_DEPTH = 4

Style = Callable[[str], str]
"""Turns ``:name`` parameters into the form that the driver reads."""


def named(sql: str) -> str:
    """SQLite reads ``:name`` as it is."""
    return sql


def pyformat(sql: str) -> str:
    """``:name`` becomes ``%(name)s``, and a percent sign is doubled; literals keep their colons."""

    def replace(match: re.Match[str]) -> str:
        if match["parameter"]:
            return f"%({match['parameter']})s"
        return match[0].replace("%", "%%")

    return _TOKEN.sub(replace, sql)


@dataclass(frozen=True, slots=True)
class _Fragment:
    """Kept on one line, so that a condition behind it covers all of it."""

    wanted: tuple[str, ...]
    text: str

    def filled(self, given: tuple[str, ...]) -> str:
        values = dict(zip(self.wanted, given, strict=True))
        return re.sub(r":(\w+)", lambda match: values.get(match[1], match[0]), self.text)


class Statements:
    """All statements of one database, by name."""

    def __init__(self, dialect: str, style: Style) -> None:
        self._style = style
        self._sources: dict[str, str] = {}
        self._rendered: dict[tuple[str, frozenset[str]], str] = {}
        fragments: dict[str, _Fragment] = {}
        for text in (*_texts("shared"), *_texts(dialect)):
            for kind, name, wanted, body in _parts(text):
                if kind == "fragment":
                    fragments[name] = _Fragment(wanted, " ".join(body.split()))
                else:
                    self._sources[name] = body
        for name, body in self._sources.items():
            self._sources[name] = _expand(body, fragments)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._sources)

    def text(self, name: str, parameters: Mapping[str, object]) -> str:
        """The statement as the driver takes it, without the lines whose parameter is not given."""
        given = frozenset(key for key, value in parameters.items() if value is not None)
        found = self._rendered.get((name, given))
        if found is None:
            found = self._style("\n".join(_lines(self._sources[name], given)))
            self._rendered[name, given] = found
        return found


@cache
def statements_of(dialect: str, style: Style) -> Statements:
    """The same for every store of this process: the files do not change while it runs."""
    return Statements(dialect, style)


def folder(*path: str) -> Traversable:
    """A folder or file below ``sql``."""
    return resources.files(__package__).joinpath(SQL, *path)


def _texts(name: str) -> Iterator[str]:
    for file in sorted(folder(name).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            yield file.read_text(encoding="utf-8")


def _parts(text: str) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        kind, name, wanted = head.groups(default="")
        yield kind, name, _words(wanted), _REMARK.sub("", text[head.end() : end]).strip()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _lines(source: str, given: frozenset[str]) -> Iterator[str]:
    for line in source.splitlines():
        condition = _CONDITION.search(line)
        if condition is None:
            yield line
        elif condition[1] in given:
            yield line[: condition.start()]


def _expand(body: str, fragments: Mapping[str, _Fragment], depth: int = 0) -> str:
    if depth > _MAX_DEPTH:
        raise ValueError("a fragment contains itself")

    def replace(match: re.Match[str]) -> str:
        if match["kept"]:
            return match[0]
        text = fragments[match["name"]].filled(_words(match["given"] or ""))
        return _expand(text, fragments, depth + 1)

    return _FRAGMENT.sub(replace, body)
