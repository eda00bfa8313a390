"""Definitions in files and folders: all of them, each named once."""

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
    return wanted


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
