"""``make package STAGE=…``: the zip, and the template of the stack, in ``build/STAGE``.

Chalice builds both from a copy of the sources, with configuration and policies written for the stage; the
resources around the functions are merged into its template, and its zip is packed anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.functions import Function, declared, sized
from infra.policies import policy
from infra.problems import Stuck
from infra.stage import Stage, read_stage, the_stage
from infra.template import ALLOW_FILE, allow_file, merged
from infra.zipping import MOST_BYTES, repack

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
OPEN = ("python3.12", "python3.13", "python3.14")
"""Runtimes in which AWS lets functions be made."""
POOL_AT_PACKAGING = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/eu-central-1_made_later"
CHALICE = "import sys; from chalice.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Package:
    """What was built. ``code``: of the zip, SHA-256 in hex."""

    stage: Stage
    folder: Path
    runtime: str
    code: str

    @property
    def zip(self) -> Path:
        return self.folder / "deployment.zip"

    @property
    def template(self) -> Path:
        return self.folder / "template.json"

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.template.read_text(encoding="utf-8"))
        return found


def build(stage: Stage, folder: Path) -> Package:
    """Everything anew, in ``folder``; what was there is gone.

    Raises:
        Stuck: something does not fit, or Chalice failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    project = folder / "project"
    document = assemble(stage, project, ROOT / "requirements.txt")
    package = Package(stage, folder, runtime(), "")
    repack(project / "out" / "deployment.zip", _empty(folder / "files"), package.zip)
    code = hashlib.sha256(package.zip.read_bytes()).hexdigest()
    size = package.zip.stat().st_size
    if size > MOST_BYTES:
        raise Stuck(
            f"the zip has {size:,} bytes, more than {MOST_BYTES:,}: cold starts would suffer"
        )
    document["Outputs"]["Code"] = {"Value": code}
    package.template.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
    return Package(stage, folder, package.runtime, code)


def assemble(stage: Stage, project: Path, requirements: Path) -> dict[str, Any]:
    """What Chalice makes of the stage, in ``project``: its template, merged with ours."""
    _lay_out(project, sized(declared(), stage.concurrency), stage)
    shutil.copy(requirements, project / "requirements.txt")
    _chalice(project, stage)
    made: dict[str, Any] = json.loads((project / "out" / "sam.json").read_text(encoding="utf-8"))
    return made


def runtime() -> str:
    """Chalice packages for the Python that runs it."""
    return f"python{sys.version_info[0]}.{sys.version_info[1]}"


def _lay_out(project: Path, functions: Sequence[Function], stage: Stage) -> None:
    """The sources, and what Chalice reads beside them."""
    project.mkdir(parents=True)
    shutil.copy(ROOT / "app.py", project)
    ignored = shutil.ignore_patterns("__pycache__", "local")
    shutil.copytree(ROOT / "chalicelib", project / "chalicelib", ignore=ignored)
    if stage.targets_allow:
        _empty(project / "vendor").joinpath(ALLOW_FILE).write_bytes(allow_file(stage))
    configuration = _empty(project / ".chalice")
    for one in functions:
        _write(configuration / f"policy-{one.name}.json", policy(one, stage))
    _write(configuration / "config.json", chalice_configuration(functions, stage))
    _write(project / "merged.json", merged(functions, stage))


def chalice_configuration(functions: Sequence[Function], stage: Stage) -> dict[str, Any]:
    environment = dict(stage.environment)
    if stage.auth == "cognito":  # the template has the true one
        environment["NOONDAY_COGNITO_POOL"] = stage.cognito_pool or POOL_AT_PACKAGING
    return {
        "version": "2.0",
        "app_name": "noonday",
        "autogen_policy": False,
        "api_gateway_endpoint_type": "REGIONAL",
        "lambda_architecture": stage.architecture,
        "stages": {
            stage.name: {
                "api_gateway_stage": "api",
                "environment_variables": environment,
                "lambda_functions": {
                    one.configured_as: {"iam_policy_file": f"policy-{one.name}.json"}
                    for one in functions
                },
            }
        },
    }


def _chalice(project: Path, stage: Stage) -> None:
    arguments = ("package", "--stage", stage.name, "--merge-template", "merged.json", "out")
    done = subprocess.run(  # noqa: S603 - the interpreter that runs us
        [sys.executable, "-c", CHALICE, "--project-dir", str(project), *arguments],
        cwd=project,
        env={**_environment(), "AWS_DEFAULT_REGION": stage.region or "eu-central-1"},
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Stuck("chalice package failed:\n" + "\n".join(said[-15:]))


def _environment() -> Mapping[str, str]:
    """Of whoever calls, without settings that would leak into the package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOONDAY_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    try:
        name = the_stage(arguments)
        package = build(read_stage(name), BUILD / name)
    except Stuck as stuck:
        print(stuck, file=sys.stderr)
        return 1
    print(f"{_shown(package.zip)}: {package.zip.stat().st_size:,} bytes for {package.runtime}")
    print(f"{_shown(package.template)}: {len(package.document()['Resources'])} resources")
    if package.runtime not in OPEN:
        print(closed(package.runtime))
    return 0


def closed(of: str) -> str:
    return (
        f"AWS makes no functions of {of} any more: this package is for looking at. To deploy, set up "
        "Noonday with Python 3.13: make clean, then make package PYTHON=python3.13"
    )


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
