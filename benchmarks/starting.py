"""What the functions of Lambda load before their first event, against Python alone and against the framework.

Each start is a process of its own, and they take turns, so that a machine whose speed changes changes it for
all. Processor time counts: Lambda sells it, and a busy machine does not spoil it. No database answers here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
TRIES = 7
NOTHING = "pass"
FRAMEWORK = "import chalice.app, pydantic; pydantic.create_model('Answer', status=(str, ...))"
FUNCTIONS = ("app", "minute", "second", "launch", "completion", "deliver")
ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "noonday-bench",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "NOONDAY_AUTH": "iam",
    "NOONDAY_DATABASE": "mysql://noonday@127.0.0.1:9/noonday",
    "NOONDAY_DATABASE_PASSWORD": "none",
    "NOONDAY_QUEUES": "https://sqs.eu-central-1.amazonaws.com/123456789012/noonday-bench-",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}
MEASURE = "import time, sys\n{}\nprint(time.process_time(), len(sys.modules))"


def main() -> int:
    programs = {
        "Python alone": (NOTHING, {}),
        "chalice and pydantic": (FRAMEWORK, {}),
        **{name: ("import app", {"_HANDLER": f"app.{name}"}) for name in FUNCTIONS},
    }
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in programs}
    for _ in range(TRIES + 1):  # the first writes bytecode, and counts for nothing
        for name, (program, environment) in programs.items():
            taken[name].append(start(program, environment))
    base = median(seconds for seconds, _ in taken["chalice and pydantic"][1:])
    say(f"{'processor time of a start':28}{'ms':>8}{'modules':>10}{'of the framework':>20}")
    for name, starts in taken.items():
        seconds = median(seconds for seconds, _ in starts[1:])
        say(f"{name:28}{seconds * 1000:8.0f}{starts[-1][1]:10}{seconds / base:19.2f}x")
    return 0


def start(program: str, environment: Mapping[str, str]) -> tuple[float, int]:
    """Seconds of a processor, and how many modules were loaded."""
    done = subprocess.run(  # noqa: S603 - the interpreter that runs us
        [sys.executable, "-c", MEASURE.format(program)],
        cwd=ROOT,
        env={**ENVIRONMENT, **environment},
        text=True,
        capture_output=True,
        check=True,
    )
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
