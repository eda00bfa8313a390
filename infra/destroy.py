"""``make destroy STAGE=…``: the stack away, after a question; says what remains."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from botocore.exceptions import ClientError

from infra.account import reached
from infra.problems import Stuck
from infra.stack import Say, Stack
from infra.stage import Stage, read_stage, the_stage

Ask = Callable[[str], str]


def destroy(stage: Stage, stack: Stack, say: Say, ask: Ask) -> None:
    """Everything but the database's last snapshot, its backups, and the bucket.

    Raises:
        Stuck: whoever was asked did not agree, or the database is protected.
    """
    account = stack.account
    if stack.state() is None:
        say(f"There is no {stack.name} in account {account.id}, {account.region}")
        return
    _unprotected(stage, stack)
    say(
        f"This deletes {stack.name} in account {account.id}, {account.region}: its functions, queues,"
    )
    say("logs and alarms, and its database. Nothing is launched any more.")
    if ask(f"Type {stack.name} to go on: ").strip() != stack.name:
        raise Stuck("nothing was deleted")
    stack.delete()
    say(f"{stack.name} is gone. What remains, and may cost something:")
    say(f"  the last snapshot and the backups of the database: {snapshots(stack)}")
    say(f"  the bucket noonday-{account.id}-{account.region}, which other stages use too")
    if stage.auth == "cognito" and stage.cognito_pool is None:
        say(f"  the user pool {stage.prefix}, with its users")


def _unprotected(stage: Stage, stack: Stack) -> None:
    """Before the question: a stack whose database cannot go would be left in pieces."""
    try:
        answer = stack.account.call(
            "rds", "describe_db_instances", DBInstanceIdentifier=stage.prefix
        )
    except ClientError as error:
        if error.response["Error"]["Code"].startswith("DBInstanceNotFound"):
            return
        raise
    if any(one.get("DeletionProtection") for one in answer["DBInstances"]):
        raise Stuck(
            f"the database of {stack.name} is protected: set database.deletion_protection: false in "
            f"infra/stages/{stage.name}.yaml, make deploy STAGE={stage.name}, and repeat"
        )


def snapshots(stack: Stack) -> str:
    return f"aws rds describe-db-snapshots --db-instance-identifier {stack.name}"


def main(arguments: Sequence[str]) -> int:
    try:
        name = the_stage(arguments)
        stage = read_stage(name)
        destroy(stage, Stack(reached(stage), stage.prefix), print, input)
    except (Stuck, EOFError) as stuck:
        print(f"Stopped: {stuck or 'nobody answers, and nothing was deleted'}", file=sys.stderr)
        return 1
    except ClientError as error:
        print(f"Stopped: AWS says {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
