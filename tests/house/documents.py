"""The documents as their readers see them: fenced blocks, commands and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_NAME = re.compile(r"# ([a-z-]+\.yaml)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``file``: the name that its first line gives it."""

    path: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        match = _NAME.match(self.text)
        return match[1] if match else None

    @property
    def commands(self) -> list[str]:
        """The lines after a prompt; what follows them is what they print."""
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


def blocks(path: Path, language: str) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [
        Block(path, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
        if match[1] == language
    ]


def all_blocks(language: str) -> list[Block]:
    return [block for path in DOCUMENTS for block in blocks(path, language)]


def links(path: Path) -> Iterator[str]:
    """Targets of links, code left out."""
    yield from _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))
