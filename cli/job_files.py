"""Definitions in files and folders: all of them, each named once, in the order of their needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.documents import Loaded, parse, read_text
from cli.errors import Failure, Problem, Unreadable
from cli.yaml_lines import line_of

Document = dict[str, Any]
ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A definition that there should be; ``number`` counts the documents of its file."""

    loaded: Loaded
    title: str
    text: str
    number: int

    @property
    def name(self) -> str:
        return str(self.loaded.document["name"])

    @property
    def document(self) -> Document:
        return self.loaded.document

    def at(self, field: str) -> str:
        """The file, and the line of the field where that can be told."""
        line = line_of(self.text, self.number, field)
        return self.loaded.origin if line is None else f"{self.title}, line {line}"


def read_wanted(places: Sequence[str]) -> list[Wanted]:
    """The definitions in files, in folders and what is below them, and in standard input (``-``).

    Raises:
        Unreadable: one of them cannot be read, has no name, or has the name of another.
    """
    wanted: list[Wanted] = []
    for file in _files(places):
        text, title = read_text(file)
        wanted += [
            Wanted(loaded, title, text, number) for number, loaded in enumerate(parse(text, title))
        ]
    _check_names(wanted)
    return in_order_of_needs(wanted)


def in_order_of_needs(wanted: Sequence[Wanted]) -> list[Wanted]:
    """By name, but what others wait for comes before them, where that is possible.

    Raises:
        Unreadable: some wait for each other at the same nominal time, and would for ever.
    """
    named = {one.name: one for one in sorted(wanted, key=lambda one: one.name)}
    done: dict[str, Wanted] = {}
    for name in named:
        _visit(name, named, done)
    return list(done.values())


def _visit(name: str, named: dict[str, Wanted], done: dict[str, Wanted]) -> None:
    """Depth first; without recursion, because a chain may be as long as it is."""
    stack = [(name, iter(sorted(_needs(named[name], named))))] if name not in done else []
    way = [name]
    while stack:
        current, needs = stack[-1]
        following = next((need for need in needs if need not in done), None)
        if following is None:
            stack.pop()
            way.pop()
            done[current] = named[current]
        elif following in way:
            _check_circle(way[way.index(following) :], named)
        else:
            way.append(following)
            stack.append((following, iter(sorted(_needs(named[following], named)))))


def _check_circle(circle: list[str], named: dict[str, Wanted]) -> None:
    pairs = zip(circle, [*circle[1:], circle[0]], strict=True)
    if all(need in _needs(named[name], named, same_time=True) for name, need in pairs):
        shown = " -> ".join([*circle, circle[0]])
        raise Unreadable(
            f"{named[circle[0]].at('prerequisites')}: {shown} wait for each other, and would for ever",
            hint="add at: ${previous_time} to one of them, and it waits for the time before",
        )


def _needs(wanted: Wanted, named: dict[str, Wanted], *, same_time: bool = False) -> set[str]:
    listed = wanted.document.get("prerequisites")
    return {
        str(each["job"])
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
        and str(each.get("job")) in named
        and not (same_time and each.get("at") is not None)
    }


def _files(places: Sequence[str]) -> Iterator[str]:
    for place in places:
        folder = Path(place)
        if place == "-" or not folder.is_dir():
            yield place
            continue
        found = sorted(
            str(file)
            for file in folder.rglob("*")
            if file.suffix in ENDINGS and file.is_file() and not _is_hidden(file, folder)
        )
        if not found:
            raise Unreadable(
                f"{place} holds no file that ends with {', '.join(ENDINGS)}",
                hint="to delete all jobs of a set: noonday job delete --tag noonday.apply-set=NAME",
            )
        yield from found


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _check_names(wanted: Sequence[Wanted]) -> None:
    problems: list[Problem] = []
    seen: dict[str, Wanted] = {}
    for one in wanted:
        name = one.document.get("name")
        if not isinstance(name, str) or not name:
            problems.append(Problem(one.at("name"), "name: is missing", name))
        elif name in seen:
            message = f"name: {name} is defined in {seen[name].at('name')} already"
            problems.append(Problem(one.at("name"), message))
        else:
            seen[name] = one
    if problems:
        raise Unreadable("not accepted, and nothing was changed:", problems=problems)


def placed(wanted: Wanted, failure: Failure) -> list[Problem]:
    """What the server found wrong, each with its file and line."""
    if not failure.problems:
        return [Problem(wanted.loaded.origin, f"{wanted.name}: {failure.message}")]
    return [Problem(wanted.at(each.field), _said(each), each.value) for each in failure.problems]


def _said(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message
