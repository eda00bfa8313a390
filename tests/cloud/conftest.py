"""moto's server, once for the process and empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud import amazon as amazons
from tests.cloud.amazon import KEYS, REGION, Amazon
from tests.cloud.composed import noonday

__all__ = ["noonday"]


@pytest.fixture(scope="session")
def _server() -> Iterator[Amazon]:
    with amazons.serving() as amazon:
        yield amazon


@pytest.fixture
def amazon(_server: Amazon, monkeypatch: pytest.MonkeyPatch) -> Amazon:
    """boto3 finds it by the environment, as it finds AWS."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": _server.url, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    return amazons.fresh(_server)
