"""One package for all tests."""

from __future__ import annotations

import os

import pytest

from infra.package import Package
from infra.stage import read_stage
from tests.infra.building import built_once


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return built_once(shared / "infra", read_stage("dev"))
