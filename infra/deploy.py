"""``make deploy STAGE=…``: from the sources to a stack that answers. Repeating it does no harm."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra import bucket, package, quotas
from infra.account import Account, reached
from infra.functions import declared, sized
from infra.package import BUILD, OPEN, Package
from infra.problems import Stuck
from infra.stack import Say, Stack
from infra.stage import read_stage, the_stage

ASKED = 4
"""Times that the new stack is asked how it is."""
Get = Callable[[str], Mapping[str, Any]]
"""The JSON that is at an address."""


def deploy(built: Package, stack: Stack, say: Say, get: Get) -> None:
    """Limits, bucket, schema, stack, smoke test; each step first says what it does.

    Raises:
        Stuck: a step failed; those before it need not be undone.
    """
    account = stack.account
    say(f"Deploying {stack.name} to account {account.id}, {account.region}, as {account.who}")
    new = not stack.ready()
    functions = sized(declared(), built.stage.concurrency)
    for warning in quotas.look(account, built.stage, functions, new=new):
        say(f"  warning: {warning}")
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
        if not new and stack.outputs().get("Code") != built.code:
            expand(built, stack, place, say)
        stack.execute(change_set)
    migrate(account, stack.name, say)
    check(stack, say, get)


def expand(built: Package, stack: Stack, place: str, say: Say) -> None:
    """The schema first, as long as the functions of before are at work: they can do with a newer one, those
    that come cannot do with an older one. Only the code of ``migrate`` is exchanged; the stack follows.

    A database that does not work as it is has nothing to lose: the change may be what mends it.
    """
    account, name = stack.account, f"{stack.name}-migrate"
    try:
        _invoke(account, name, {"action": "check"})
    except Stuck as stuck:
        say(f"The database does not work as it is, so the stack is changed first: {stuck}")
        return
    say("Making the database ready for the new code; the functions of before go on")
    _update(
        account,
        "update_function_configuration",
        FunctionName=name,
        Runtime=built.runtime,
    )
    _update(
        account,
        "update_function_code",
        FunctionName=name,
        S3Bucket=place,
        S3Key=bucket.zip_key(built),
        Architectures=[built.stage.architecture],
    )
    _told(_invoke(account, name, {}, "Nothing of the stack was changed. "), say)


def _update(account: Account, operation: str, **parameters: Any) -> None:
    try:
        account.call("lambda", operation, **parameters)
        client = account.session.client("lambda", region_name=account.region)
        client.get_waiter("function_updated_v2").wait(FunctionName=parameters["FunctionName"])
    except (ClientError, WaiterError) as error:
        raise Stuck(
            f"{parameters['FunctionName']} cannot be updated ({error}); nothing of the stack was changed"
        ) from error


def migrate(account: Account, name: str, say: Say) -> None:
    """The function ``migrate`` makes the database ready, and looks as the application does."""
    say("Making the database ready")
    _told(_invoke(account, f"{name}-migrate", {}), say)


def _told(found: Mapping[str, Any], say: Say) -> None:
    for line in found.get("did", ()):
        say(f"  {line}")
    for line in found.get("warnings", ()):
        say(f"  warning: {line}")


def _invoke(
    account: Account, function: str, event: Mapping[str, str], undone: str = ""
) -> Mapping[str, Any]:
    try:
        answer = account.call(
            "lambda", "invoke", FunctionName=function, Payload=json.dumps(event).encode()
        )
    except ClientError as error:
        raise Stuck(f"{undone}{function} cannot be called: {error}") from error
    found = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        why = found.get("errorMessage", found) if isinstance(found, dict) else found
        raise Stuck(
            f"{undone}the database is not ready: {why}. The log is /aws/lambda/{function}; mend it, and "
            "repeat"
        )
    return found if isinstance(found, dict) else {}


def check(stack: Stack, say: Say, get: Get) -> None:
    """Whether it answers: through API Gateway, from the database."""
    url = stack.outputs().get("EndpointURL", "").rstrip("/")
    found = _answer(stack, url, get)
    if found.get("status") != "ok":
        raise Stuck(f"{url}/health says {found}")
    say(f"It answers: {url}")
    say(f"For the command noonday: export NOONDAY_URL={url}")


def _answer(stack: Stack, url: str, get: Get) -> Mapping[str, Any]:
    """A new address, and a function that has never run, may fail once or twice."""
    for tries in range(ASKED, 0, -1):
        try:
            return get(f"{url}/health")
        except (OSError, ValueError) as error:
            if tries == 1:
                raise Stuck(
                    f"{url}/health does not answer: {error}. The log is /aws/lambda/{stack.name}-api"
                ) from error
            Event().wait(stack.poll_s)
    raise AssertionError("not reached")


def get_json(url: str) -> Mapping[str, Any]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the stack's own address
        document: Mapping[str, Any] = json.load(answer)
    return document


def main(arguments: Sequence[str]) -> int:
    try:
        name = the_stage(arguments)
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
    except KeyboardInterrupt:
        print(
            "Interrupted. What CloudFormation has begun it goes on with; repeat when that is over",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
