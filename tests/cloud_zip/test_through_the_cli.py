"""The whole story: ``noonday`` signs, API Gateway verifies, the deployed functions do the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.local.http_message import HttpRequest
from chalicelib.local.http_server import HttpResponse
from tests.cli.front import STAGE, Front, Keys, serving
from tests.cloud.amazon import ACCOUNT, REGION
from tests.cloud.offers import StepFunctions
from tests.cloud.service_events import ended
from tests.cloud_zip.account import Account
from tests.cloud_zip.front import ADMIN

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
KEYS = {
    "ASIAALICE": Keys("the secret of alice", ADMIN, token="for an hour"),
    "AKIABOB": Keys("the secret of bob", BOB),
    "AKIAOUTSIDE": Keys("the secret of carol", f"arn:aws:iam::{ACCOUNT}:user/carol", invokes=False),
}
JOB = """
name: nightly
description: Revenue of the day
schedule: {{at: "2026-01-01T00:00:00"}}
target: {{kind: step_functions, state_machine: "{machine}"}}
"""
NOONDAY = [sys.executable, "-c", "import sys; from cli.main import main; sys.exit(main())"]


class Ran:
    """A command that has ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def document(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Noonday = Callable[..., Ran]


@pytest.fixture
def noonday(account: Account, tmp_path: Path) -> Iterator[Noonday]:
    """``noonday ARGUMENTS`` as a process of its own, with somebody's credentials in its environment."""

    def behind(request: HttpRequest, known: Keys) -> HttpResponse:
        raw = account.front.answer(
            request.method,
            request.target.removeprefix(STAGE),
            request.body.decode() or None,
            dict(request.headers),
            known.arn,
        )
        return HttpResponse(raw["statusCode"], (raw["body"] or "").encode(), raw["headers"])

    def run(*arguments: str, key: str = "ASIAALICE", secret: str | None = None) -> Ran:
        known = KEYS[key]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret or known.secret,
            **({"AWS_SESSION_TOKEN": known.token} if known.token else {}),
            "AWS_ENDPOINT_URL_STS": account.amazon.url,
        }
        done = subprocess.run(
            [*NOONDAY, *arguments],
            cwd=Path(__file__).parents[2],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done)

    with serving(Front(KEYS, behind)) as front:
        for name, value in (("url", front.url), ("auth", "iam"), ("region", REGION)):
            assert run("config", "set", name, value).code == 0
        yield run


def test_from_the_command_to_the_link_of_the_console(
    account: Account, noonday: Noonday, tmp_path: Path
) -> None:
    machine = StepFunctions(account.amazon)
    file = tmp_path / "nightly.yaml"
    file.write_text(JOB.format(machine=machine.machine), encoding="utf-8")

    made = noonday("job", "submit", str(file), "--schedule", "-o", "json").document
    assert made["state"] == "SCHEDULED"
    account.discard("wake")
    account.ring()  # the minute of EventBridge
    account.drain()  # SQS brings what it handed out
    [listed] = noonday("instance", "list", "-o", "json").document["items"]
    assert (listed["state"], listed["name"]) == ("LAUNCHED", "nightly")
    assert machine.runs() == 1

    execution = account.instance(listed["id"])["runs"][-1]["external_id"]
    machine.end(execution, well=True)
    account.functions["completion"].invoke(ended(machine.kind, f"{listed['id']}-1", execution))
    assert account.poll("launch") == 1

    shown = noonday("instance", "show", listed["id"])
    assert shown.code == 0, shown.err
    assert "SUCCEEDED" in shown.out
    assert f"https://{REGION}.console.aws.amazon.com/states/" in shown.out
    assert "nightly" in noonday("job", "show", "nightly").out
    assert account.failed == []


def test_a_signature_that_is_not_theirs(noonday: Noonday) -> None:
    refused = noonday("job", "list", secret="somebody else's")
    assert refused.code == 1
    assert "signature" in refused.err
    assert "Traceback" not in refused.err


def test_somebody_whom_iam_does_not_let_in(noonday: Noonday) -> None:
    refused = noonday("job", "list", key="AKIAOUTSIDE")
    assert refused.code == 1
    assert "execute-api:Invoke" in refused.err


def test_somebody_without_rights_sees_nothing_and_changes_nothing(
    account: Account, noonday: Noonday, tmp_path: Path
) -> None:
    machine = StepFunctions(account.amazon)
    file = tmp_path / "nightly.yaml"
    file.write_text(JOB.format(machine=machine.machine), encoding="utf-8")
    assert noonday("job", "submit", str(file)).code == 0
    refused = noonday("job", "submit", str(file), key="AKIABOB")
    assert refused.code != 0
    assert "bob" in refused.err
    assert noonday("job", "show", "nightly", key="AKIABOB").code != 0
    assert len(account.call("GET", "/jobs")["items"]) == 1
