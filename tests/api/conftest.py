"""One real server for the tests of the API, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.api.described import DescribedApi, described
from tests.local.server import Answer, serving

START = "2026-01-01T00:00:00Z"
START_MS = 1_767_225_600_000


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DescribedApi]:
    folder = tmp_path_factory.mktemp("api")
    environ = {"NOONDAY_CONNECTION_WAREHOUSE": f"sqlite:////{folder}/warehouse.db"}
    with serving(folder, "--clock", START, environ=environ) as server:
        yield described(server)


_numbers = count(1)


@pytest.fixture
def name() -> str:
    """A job's name that no other test uses."""
    return f"job-{next(_numbers)}"


def definition(name: str, **fields: Any) -> dict[str, Any]:
    """A sound definition of a job that prints a word every hour, from June on."""
    return {
        "name": name,
        "schedule": {"every": "PT1H", "start": "2026-06-01T00:00:00Z"},
        "target": {"kind": "process", "command": ["echo", "done"]},
        **fields,
    }


@pytest.fixture
def submitted(api: DescribedApi, name: str) -> Callable[..., Any]:
    """Submits a job with these fields; its document."""

    def submit(*, scheduled: bool = False, **fields: Any) -> Any:
        path = "/jobs?schedule=true" if scheduled else "/jobs"
        answer: Answer = api("POST", path, definition(name, **fields))
        assert answer.status == 201, answer.body
        return answer.body

    return submit
