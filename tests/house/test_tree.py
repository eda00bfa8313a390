"""The tree tells the architecture: names say what is there, and every document can be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.documents import ROOT, links

PACKAGES = ("chalicelib", "cli", "benchmarks", "docs", "examples", "noonday")
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def offenders(package: str, wrong: Callable[[Path], bool]) -> list[str]:
    modules = sorted((ROOT / package).rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in modules if wrong(path)]


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_have_names_that_mean_something(package: str) -> None:
    assert offenders(package, lambda path: path.stem in EMPTY_NAMES) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_say_what_they_are(package: str) -> None:
    def is_silent(path: Path) -> bool:
        text = path.read_text(encoding="utf-8")
        return bool(text) and not text.startswith(('"""', 'r"""'))

    assert offenders(package, is_silent) == []


def test_tests_are_packages() -> None:
    """Two files of one name in two folders would otherwise hide each other."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_readme_leads_to_every_document() -> None:
    reached = {link for link in links(ROOT / "README.md") if link.startswith("docs/")}
    assert reached == {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}


def test_the_whole_license_is_there() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
