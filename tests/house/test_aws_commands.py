"""Commands of the AWS CLI that documents and messages name exist, with their parameters."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from tests.house.documents import DOCUMENTS, ROOT

SOURCES = [
    path
    for folder in ("chalicelib", "cli", "infra", "noonday", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
OF_THE_CLI = {("sso", "login"), ("s3", "cp"), ("s3", "ls"), ("s3", "rm"), ("configure", "list")}
"""Commands of the CLI itself, which no service has."""
EVERYWHERE = {"region", "profile", "output", "query", "cli-binary-format", "no-cli-pager"}
_NAMED = re.compile(r"\baws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)((?:\\\n|[^`\n])*)")
_ENDS = re.compile(r"[;()]|[.,](?= |$)| (?=prints|tries|makes|or\b)")
"""Where a sentence goes on."""
_CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    where: str
    service: str
    operation: str
    rest: str

    @property
    def options(self) -> Iterator[tuple[str, str | None]]:
        """Each with its value; None for a flag."""
        words = shlex.split(self.rest.replace("\\\n", " "), comments=True)
        for number, word in enumerate(words):
            if word in ("|", ">", "&&", ";"):
                return
            if word.startswith("--"):
                after = words[number + 1] if number + 1 < len(words) else "--"
                yield word[2:], None if after.startswith("--") else after


def _commands() -> Iterator[Command]:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for part in _CODE.finditer(text):
            yield from _named(path, part[1] or part[2], shell=part[1] is not None)
    for path in SOURCES:
        for text in _texts(path):
            yield from _named(path, text, shell=False)


def _texts(path: Path) -> Iterator[str]:
    """Texts of a program, whole; what is filled in stands as VALUE."""
    parts: set[int] = set()
    texts: list[ast.Constant] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(one) for one in node.values}
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "VALUE" for one in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node)
    yield from (str(one.value) for one in texts if id(one) not in parts)


def _named(path: Path, text: str, *, shell: bool) -> Iterator[Command]:
    for found in _NAMED.finditer(text):
        service, operation, rest = found.groups()
        if service in boto3.session.Session().get_available_services() or (
            (service, operation) in OF_THE_CLI
        ):
            inside = text[: found.start()].endswith("$(")
            rest = rest.partition(")")[0] if shell and inside else rest
            rest = rest if shell else _ENDS.split(rest)[0]
            yield Command(path.relative_to(ROOT).as_posix(), service, operation, rest)


COMMANDS = sorted(
    set(_commands()), key=lambda one: (one.where, one.service, one.operation, one.rest)
)


def test_there_are_some() -> None:
    """The search itself works: documents, and messages with parts that are filled in."""
    assert {one.where for one in COMMANDS} >= {
        "docs/deploying.md",
        "infra/stack.py",
        "infra/quotas.py",
    }
    assert any(("stack-name", "VALUE") in one.options for one in COMMANDS)


def _shape(command: Command) -> Any:
    """What the operation takes; of ``wait``, what its waiter asks with."""
    operations = _operations(command.service)
    name = command.operation
    if name == "wait":
        waiter = command.rest.split()[0].replace("-", "_")
        client = boto3.client(command.service, region_name="eu-central-1")
        assert waiter in client.waiter_names, f"aws {command.service} wait {waiter} does not exist"
        name = xform_name(client.get_waiter(waiter).config.operation, "-")
    assert name in operations, f"aws {command.service} has no {name}"
    return operations[name].input_shape


@cache
def _operations(service: str) -> dict[str, Any]:
    model = boto3.client(service, region_name="eu-central-1").meta.service_model
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda one: f"{one.where}:{one.service}:{one.operation}"
)
def test_a_command_exists(command: Command) -> None:
    if (command.service, command.operation) in OF_THE_CLI:
        return
    shape = _shape(command)
    members = shape.members if shape is not None else {}
    known = {xform_name(name, "-"): member for name, member in members.items()}
    given = dict(command.options)
    for option, value in given.items():
        if option in EVERYWHERE:
            continue
        member = known.get(option) or known.get(option.removeprefix("no-"))
        assert member is not None, f"{command.operation} has no --{option}"
        flag = member.type_name == "boolean"
        assert flag == (value is None), f"--{option} of {command.operation}: {value!r}"
        if member.type_name == "blob":
            # Version 2 of the CLI takes blobs in base64 otherwise.
            assert given.get("cli-binary-format") == "raw-in-base64-out", option


@pytest.mark.parametrize(
    "command",
    [one for one in COMMANDS if one.where.startswith("docs/") and "--" in one.rest],
    ids=lambda one: f"{one.where}:{one.service}:{one.operation}",
)
def test_a_command_is_whole(command: Command) -> None:
    """What a service requires is there: whoever copies it has nothing to add."""
    if (command.service, command.operation) in OF_THE_CLI:
        return
    shape = _shape(command)
    required = {xform_name(name, "-") for name in (shape.required_members if shape else ())}
    assert required <= {option for option, _ in command.options}
