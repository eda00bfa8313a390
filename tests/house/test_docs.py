"""What the documents show works: definitions are accepted, commands run, links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.documents import parse
from tests.house.documents import DOCUMENTS, ROOT, Block, all_blocks, blocks, links
from tests.house.server import Server, serving

BASE: dict[str, Any] = {
    "name": "a-document",
    "schedule": {"cron": "0 0 6 * * ?"},
    "target": {"kind": "process", "command": ["true"]},
}
# Done before anything else can be tried; the tests have done it already.
SET_UP = re.compile(r"(\w+=\S+ )*(make|git|cd|source|export|sudo) ?")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It has the group that definitions name."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        assert running.put("/groups/warehouse", {"size": 1})[0] == 201
        yield running


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=lambda block: block.where)
def test_a_definition_is_accepted(block: Block, server: Server) -> None:
    """A part of a definition is completed; whatever it says itself must be right."""
    [loaded] = parse(block.text, block.where)
    status, answer = server.post("/jobs?dry_run=true", {**BASE, **loaded.document})
    assert status == 200, f"{block.where}: {answer}"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_an_example_is_accepted(path: Path, server: Server) -> None:
    [loaded] = parse(path.read_text("utf-8"), path.name)
    status, answer = server.post("/jobs?dry_run=true", loaded.document)
    assert status == 200, answer


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: block.where)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if blocks(path, "console")], ids=lambda path: path.name
)
def test_commands_run(path: Path, tmp_path: Path) -> None:
    """In one shell, in a folder that holds the files the page shows, against a server of its own."""
    commands = [command for block in blocks(path, "console") for command in block.commands]
    if any("curl" in command for command in commands) and not shutil.which("curl"):
        assert "CI" not in os.environ, "curl is not installed"
        pytest.skip("curl is not installed")
    for command in commands:
        if SET_UP.match(command):
            check_set_up(command)
    others = [command for command in commands if not SET_UP.match(command)]
    if others:
        with serving(tmp_path) as server:
            run(others, path, server, tmp_path / "work")


def run(commands: list[str], page: Path, server: Server, folder: Path) -> None:
    folder.mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    for block in blocks(page, "yaml"):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", "\n".join(commands)],
        cwd=folder,
        env=server.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{page.name}\n{done.stdout}\n{done.stderr}"


def check_set_up(command: str) -> None:
    """A target of make must exist; the rest is the shell's."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", command):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), command


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        place, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = path.parent / place if place else path
        assert target.exists(), f"{path.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{path.name} links to {link}"


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
