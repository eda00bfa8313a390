"""What functions say in their logs, and what stands in their database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cloud_zip.account import Account
from tests.cloud_zip.runtime import Function

Send = Callable[[str, Mapping[str, str], bytes], tuple[int, bytes]]
ADDRESS = "https://noonday.example/api"
"""Where the API is reached, as its targets are told."""
SIGNING = "whsec_" + "bm8gd29yZCBvZiB0aGUgdGVzdHMuLi4uLi4u"
"""What signs webhooks."""

_STATE = (
    "SELECT id, state, run, reason, version, wake_ms FROM scheduler_job_instances ORDER BY id",
    "SELECT * FROM scheduler_jobs ORDER BY id",
    "SELECT COUNT(*) FROM scheduler_events",
)


@contextmanager
def saying(function: Function) -> Iterator[list[dict[str, Any]]]:
    """What the function says meanwhile, line by line; what is no JSON is a line with ``text``."""
    told: list[dict[str, Any]] = []
    before = function.log.stat().st_size if function.log.exists() else 0
    yield told
    with function.log.open("rb") as log:
        log.seek(before)
        told.extend(_read(text) for text in log.read().decode(errors="replace").splitlines())


def through(account: Account) -> Send:
    """How a target's reports reach the deployed API, for ``noonday.callback``: nobody signs them."""

    def send(url: str, headers: Mapping[str, str], content: bytes) -> tuple[int, bytes]:
        assert url.startswith(ADDRESS)
        path = url.removeprefix(ADDRESS)
        answer = account.front.answer("POST", path, content.decode(), headers, None)
        return answer["statusCode"], (answer["body"] or "").encode()

    return send


def _read(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {"text": text}
    return document if isinstance(document, dict) else {"text": text}


def complaints(told: list[dict[str, Any]]) -> list[str]:
    """The facts that were told as errors, and what no log should hold."""
    return [
        str(line.get("fact") or line.get("text"))
        for line in told
        if line.get("level") == "error" or "text" in line
    ]


def stands(account: Account) -> list[list[tuple[Any, ...]]]:
    """All that a forged event could change."""
    return [account.database.execute(sql, account.schema) for sql in _STATE]
