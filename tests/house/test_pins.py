"""The pinned requirements are those of ``pyproject.toml``, complete, and free of any machine."""

from __future__ import annotations

import re
import runpy
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
WANTED: dict[str, list[str]] = runpy.run_path(str(ROOT / ".ci" / "pins.py"))["wanted"]()
FILES = tuple(WANTED)
PLAIN = re.compile(r"|[a-z0-9._-]+==[0-9a-z.]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?|# [^:/]*:?")
REMEDY = "run `make pins`"


def pins(file: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Of each package in the file, the version and the hashes."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin, *hashes = line.split()
            name, _, version = pin.partition("==")
            found[canonicalize_name(name)] = (version, frozenset(hashes))
    return {str(name): pin for name, pin in found.items()}


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_within_its_range(file: str) -> None:
    pinned = pins(file)
    for text in WANTED[file]:
        requirement = Requirement(text)
        name = str(canonicalize_name(requirement.name))
        assert name in pinned, f"{file} lacks {name}: {REMEDY}"
        version = pinned[name][0]
        assert requirement.specifier.contains(version), f"{name} {version} is outside: {REMEDY}"


@pytest.mark.parametrize("file", FILES)
def test_what_is_pinned_is_exactly_what_is_required(file: str) -> None:
    """Nothing that a dropped requirement brought stays behind, and nothing is missing."""
    reached: set[str] = set()
    waiting = [Requirement(text) for text in WANTED[file]]
    while waiting:
        requirement = waiting.pop()
        name = str(canonicalize_name(requirement.name))
        if f"{name}[{sorted(requirement.extras)}]" in reached:
            continue
        reached |= {name, f"{name}[{sorted(requirement.extras)}]"}
        waiting += _children(requirement)
    assert {name for name in reached if "[" not in name} == set(pins(file)), REMEDY


def _children(parent: Requirement) -> list[Requirement]:
    children = [Requirement(text) for text in metadata.requires(parent.name) or ()]
    extras = parent.extras or {""}
    return [
        child
        for child in children
        if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras)
    ]


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_pins_installs_anywhere(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for line in text.splitlines():
        assert PLAIN.fullmatch(line), f"{file} holds an option, an address or a path: {line!r}"
    assert "://" not in text
    for name, (_, hashes) in pins(file).items():
        assert hashes, f"{name} has no hash"


def test_the_files_agree() -> None:
    """Each adds to the one before, so that they can be installed over each other."""
    for narrow, wide in pairwise(FILES):
        assert pins(narrow).items() <= pins(wide).items(), f"{narrow} and {wide} differ: {REMEDY}"


def test_lambda_gets_only_what_it_needs() -> None:
    """Chalice ships its own runtime and Lambda has boto3; listed, the package grows tenfold."""
    assert not {"chalice", "boto3", "botocore", "click", "rich", "pip"} & set(pins(FILES[0]))
