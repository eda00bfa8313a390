"""The generated parts of the documents are what the code says now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chalicelib.model.states import InstanceState, JobState
from docs import generate, state_diagrams

DOCUMENTS = sorted(generate.DOCS.glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_current(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert generate.current(text) == text, f"{path.name} is out of date: run `make docs`"


def test_every_part_has_its_place() -> None:
    """A marker that is misspelt would keep its part as it is for ever."""
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert sorted(re.findall(r"<!-- generated: (.*) -->", text)) == sorted(generate.PARTS)
    assert text.count("<!-- end -->") == len(generate.PARTS)


@pytest.mark.parametrize(
    ("diagram", "states"),
    [(state_diagrams.job_diagram, JobState), (state_diagrams.instance_diagram, InstanceState)],
)
def test_every_state_is_in_its_diagram(
    diagram: generate.Part, states: type[JobState | InstanceState]
) -> None:
    drawn = set(re.findall(r"[A-Z_]{2,}", re.sub(r":.*", "", "\n".join(diagram()))))
    assert drawn == set(states)
