"""Write the three files of pinned, hashed requirements from ``pyproject.toml`` (``make pins``).

Each file adds to the one before and never disagrees with it: what runs in Lambda; what a laptop needs
to serve and to demonstrate; what the tests need. Options of the machine that resolves (indexes,
mirrors, folders of wheels) are not written, so that the files install anywhere.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
COMPILE = [
    *(sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes"),
    *("--allow-unsafe", "--strip-extras", "--no-header", "--no-annotate", "--no-emit-options"),
]


def wanted() -> dict[str, list[str]]:
    """The requirements of ``pyproject.toml`` that each file of pins serves, in their order."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    extras = project["optional-dependencies"]
    runtime = project["dependencies"]
    local = [*runtime, *extras["cli"], *extras["local"], *document["build-system"]["requires"]]
    return {
        "requirements.txt": runtime,
        "requirements-local.txt": local,
        "requirements-dev.txt": [*local, *document["dependency-groups"]["dev"]],
    }


def main(options: list[str]) -> int:
    """Resolve anew; a pin stays as it is while it fits, unless ``--upgrade`` is given."""
    if sys.version_info[:2] != OLDEST:
        sys.exit(
            "The pins are resolved on Python 3.11, the oldest that Noonday supports, and this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}: make clean pins PYTHON=python3.11"
        )
    narrower: list[str] = []
    for name, requirements in wanted().items():
        subprocess.run(  # noqa: S603 - our own command on our own files
            [*COMPILE, *options, *narrower, "--output-file", name, "-"],
            cwd=ROOT,
            input="\n".join(requirements),
            text=True,
            check=True,
        )
        narrower = ["--constraint", name]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
