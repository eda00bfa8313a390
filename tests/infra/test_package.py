"""The zip: complete, small, with bytecode, and the same bytes every time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

import pytest

from infra import package as packaging
from infra.bytecode import UNCHECKED
from infra.package import ROOT, Package
from infra.problems import Stuck
from infra.stage import Stage, read_stage
from infra.zipping import MOST_BYTES


@pytest.fixture(scope="module")
def unpacked(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(package.zip) as packed:
        packed.extractall(folder)
    return folder


def names(package: Package) -> set[str]:
    with zipfile.ZipFile(package.zip) as packed:
        return set(packed.namelist())


def test_it_holds_what_runs_and_nothing_else(package: Package) -> None:
    tops = {name.partition("/")[0] for name in names(package)}
    dists = {name.partition("-")[0] for name in tops if name.endswith(".dist-info")}
    pinned = re.findall(r"^([a-z_-]+)==", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
    assert {name.replace("-", "_") for name in pinned} == dists
    assert {"app.py", "chalicelib", "chalice"} <= tops
    assert not tops & {"boto3", "botocore", "click", "yaml", "infra", "cli", "tests", "pip"}
    assert not {name for name in names(package) if name.startswith("chalicelib/local/")}


def test_every_statement_and_certificate_is_in_it(package: Package) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "chalicelib").rglob("*")
        if path.suffix in (".sql", ".pem")
    }
    assert wanted
    assert wanted <= names(package)


def test_it_is_small(package: Package) -> None:
    assert package.zip.stat().st_size <= MOST_BYTES


def test_modules_are_bytecode_that_is_never_checked_against_a_source(package: Package) -> None:
    assert [name for name in names(package) if name.endswith(".py")] == ["app.py"]
    with zipfile.ZipFile(package.zip) as packed:
        for name in filter(lambda name: name.endswith(".pyc"), packed.namelist()):
            assert packed.read(name)[:8] == MAGIC_NUMBER + UNCHECKED, name


def test_the_compiled_part_is_for_this_python_and_the_architecture_of_the_stage(
    package: Package,
) -> None:
    tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}-x86_64-linux-gnu"
    compiled = [name for name in names(package) if name.endswith(".so")]
    assert compiled
    assert [name for name in compiled if tag not in name] == []


def test_which_python_was_tried_is_told(package: Package, record_property: Any) -> None:
    """CI takes the newest that it finds; what is deployed is another Python where that is an old one."""
    told = f"the zip was made for {package.runtime}, and tried under it"
    if package.runtime not in packaging.OPEN:
        told += (
            ", of which AWS makes no functions any more: make clean test-cloud PYTHON=python3.13"
        )
    record_property("measured", told)


@pytest.fixture
def newest() -> str:
    """The interpreter that is deployed to, which answers: a version manager leaves stand-ins that do not."""
    found = shutil.which("python3.13")
    if found is None or subprocess.run([found, "-V"], capture_output=True, check=False).returncode:
        pytest.skip("there is no python3.13 here, which is what is deployed")
    return found


def test_our_modules_become_bytecode_of_the_newest_python(newest: str, tmp_path: Path) -> None:
    """Without a warning, and without what only a venv of that Python has."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "chalicelib", tmp_path / "chalicelib", ignore=ignored)
    shutil.copy(ROOT / "app.py", tmp_path)
    done = subprocess.run(
        [newest, "-W", "error", "-B", "-m", "infra.bytecode", str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    magic = subprocess.run(
        [newest, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"],
        text=True,
        capture_output=True,
        check=True,
    ).stdout.strip()
    made = [path.read_bytes()[:4].hex() for path in tmp_path.rglob("*.pyc")]
    assert set(made) == {magic}


def test_it_runs_with_nothing_but_itself(unpacked: Path) -> None:
    """What Lambda brings besides is boto3, which is not loaded at the start."""
    code = (
        "import sys; sys.path.insert(0, '.'); import app, traceback, pydantic;"
        "from chalicelib.store.mysql import MysqlDriver; from chalicelib.api.openapi import description;"
        "from chalicelib.targets import registry; from chalicelib.model.instants import TZDATA_VERSION;"
        "assert app.__file__.endswith('app.py'), app.__file__;"
        "assert 'boto3' not in sys.modules; assert pydantic.__file__.endswith('.pyc');"
        "print(len(app.app.routes), MysqlDriver.__doc__)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code],
        cwd=unpacked,
        env={"NOONDAY_AUTH": "iam", "NOONDAY_STAGE": "dev"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 30
    assert "All connections" in done.stdout  # the API's description is made of such sentences


def test_a_traceback_names_file_and_line(unpacked: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); from chalicelib.model.instants import parse_duration;"
        "parse_duration(None)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code],
        cwd=unpacked,
        text=True,
        capture_output=True,
        check=False,
    )
    assert re.search(
        r'File "chalicelib/model/instants.py", line \d\d+, in parse_duration', done.stderr
    )


def test_two_builds_are_the_same_bytes(package: Package, tmp_path: Path) -> None:
    again = packaging.build(package.stage, tmp_path / "again")
    assert again.code == package.code
    assert again.zip.read_bytes() == package.zip.read_bytes()
    assert again.template.read_bytes() == package.template.read_bytes()


def test_the_template_says_which_code_it_is_for(package: Package) -> None:
    assert package.document()["Outputs"]["Code"]["Value"] == package.code


def test_a_python_that_aws_has_closed_is_named() -> None:
    assert "Python 3.13" in packaging.closed("python3.11")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "no mapping"),
        ("egres: nat", "egres: Extra inputs"),
        ("auth: nobody", "auth: Input should be 'iam' or 'cognito'"),
        ("egress: existing", "needs network"),
        ("settings: {NOONDAY_AUTH: iam}", "NOONDAY_AUTH comes from the stack"),
        ("settings: {NOONDAY_RETENTION_DAYS: many}", "NOONDAY_RETENTION_DAYS is 'many'"),
        ("admins: [ada]", "role:NAME"),
        ("targets_allow: [{owner: a, kind: b, resource: c}]", "no kind on AWS"),
        ("permissions: [{Effect: Allow, Action: 's3:*', Resource: x}]", "wildcard"),
        ("cognito_pool: arn:aws:cognito-idp:x", "auth is not cognito"),
        ("a: b: c", "no YAML"),
    ],
)
def test_a_mistake_in_a_stage_is_told(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "dev.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Stuck, match=re.escape(said)):
        read_stage("dev", tmp_path)


def test_a_stage_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Stuck, match="does not exist"):
        read_stage("prod", tmp_path)
    with pytest.raises(Stuck, match="a stage is named"):
        read_stage("../dev", tmp_path)


def test_secrets_of_who_packages_do_not_get_into_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOONDAY_DATABASE_PASSWORD", "of somebody's laptop")
    nothing = tmp_path / "none.txt"
    nothing.touch()
    made = packaging.assemble(Stage(name="dev"), tmp_path / "project", nothing)
    assert "of somebody's laptop" not in json.dumps(made)
