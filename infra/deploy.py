"""``make deploy STAGE=…``: from the sources to a stack that answers. Repeating it does no harm."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from infra import bucket, package
from infra.account import Account, reached
from infra.package import BUILD, OPEN, Package
from infra.problems import Stuck
from infra.stack import Say, Stack
from infra.stage import read_stage

Get = Callable[[str], Mapping[str, Any]]
"""The JSON that is at an address."""


def deploy(built: Package, stack: Stack, say: Say, get: Get) -> None:
    """Bucket, stack, migration, smoke test; each step first says what it does.

    Raises:
        Stuck: a step failed; those before it need not be undone.
    """
    account = stack.account
    say(f"Deploying {stack.name} to account {account.id}, {account.region}, as {account.who}")
    stack.ready()
    place = bucket.provide(account)
    say(f"Uploading {built.zip.stat().st_size:,} bytes to s3://{place}/{built.stage.name}/")
    url = bucket.upload(account, place, built)
    change_set = f"noonday-{built.code[:32]}"
    changes = stack.plan(change_set, url)
    if changes is None:
        say("Nothing of the stack changes")
    else:
        say(f"Changing {len(changes)} resources; a first time takes a quarter of an hour")
        for line in changes:
            say(f"  {line}")
        stack.execute(change_set)
    migrate(account, stack.name, say)
    check(stack, say, get)


def migrate(account: Account, name: str, say: Say) -> None:
    """The function ``migrate`` makes the database ready, and looks as the application does."""
    say("Making the database ready")
    try:
        answer = account.call("lambda", "invoke", FunctionName=f"{name}-migrate", Payload=b"{}")
    except ClientError as error:
        raise Stuck(f"{name}-migrate cannot be called: {error}") from error
    found = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        why = found.get("errorMessage", found) if isinstance(found, dict) else found
        raise Stuck(
            f"the database is not ready: {why}. The log is /aws/lambda/{name}-migrate; mend it, and repeat"
        )
    for line in found.get("did", ()):
        say(f"  {line}")
    for line in found.get("warnings", ()):
        say(f"  warning: {line}")


def check(stack: Stack, say: Say, get: Get) -> None:
    """Whether it answers: through API Gateway, from the database."""
    url = stack.outputs().get("EndpointURL", "").rstrip("/")
    try:
        found = get(f"{url}/health")
    except (OSError, ValueError) as error:
        raise Stuck(
            f"{url}/health does not answer: {error}. The log is /aws/lambda/{stack.name}-api"
        ) from error
    if found.get("status") != "ok":
        raise Stuck(f"{url}/health says {found}")
    say(f"It answers: {url}")
    say(f"For the command noonday: export NOONDAY_URL={url}")


def get_json(url: str) -> Mapping[str, Any]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the stack's own address
        document: Mapping[str, Any] = json.load(answer)
    return document


def main(arguments: Sequence[str]) -> int:
    try:
        [name] = arguments
        stage = read_stage(name)
        if package.runtime() not in OPEN:
            raise Stuck(package.closed(package.runtime()))
        account = reached(stage)
        print(f"Packaging stage {name} for {package.runtime()}", flush=True)
        built = package.build(stage, BUILD / name)
        deploy(built, Stack(account, stage.prefix), lambda line: print(line, flush=True), get_json)
    except Stuck as stuck:
        print(f"Stopped: {stuck}", file=sys.stderr)
        return 1
    except ClientError as error:
        print(f"Stopped: AWS says {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
