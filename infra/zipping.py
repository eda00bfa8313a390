"""The zip that Lambda runs: small, and the same bytes from the same sources."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

MOST_BYTES = 4_000_000
LEFT_OUT = (
    "pydantic/v1/",  # another library, never imported
    "pydantic/mypy.py",
    "tzdata/zoneinfo/tzdata.zi",  # the sources of what stands beside it
    "tzdata/zoneinfo/zone.tab",
    "tzdata/zoneinfo/zone1970.tab",
    "tzdata/zoneinfo/zonenow.tab",
    "tzdata/zoneinfo/iso3166.tab",
    "tzdata/zoneinfo/leapseconds",
    "chalicelib/local/",  # the embedded server
)
METADATA = ("RECORD", "WHEEL", "METADATA", "top_level.txt", "INSTALLER", "REQUESTED")
"""Of installed distributions; licences stay."""
WHEN = (1980, 1, 1, 0, 0, 0)


def wanted(name: str) -> bool:
    """Whether a file of Chalice's zip belongs into ours."""
    if name.startswith(LEFT_OUT) or name.endswith(("/", ".pyi", ".pyc", "/py.typed")):
        return False
    folder, _, file = name.partition("/")
    if folder.endswith(".dist-info"):
        return file not in METADATA and not file.startswith("sboms/")
    return True


def repack(chalice_zip: Path, folder: Path, target: Path) -> None:
    """``folder``: empty, for the files on their way."""
    with zipfile.ZipFile(chalice_zip) as given:
        for name in filter(wanted, given.namelist()):
            given.extract(name, folder)
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-X", "no_debug_ranges", "-m", "infra.bytecode", str(folder)],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(__file__).parents[1])},
        check=True,
    )
    with zipfile.ZipFile(target, "w") as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                _add(made, path, path.relative_to(folder).as_posix())


def _add(made: zipfile.ZipFile, path: Path, name: str) -> None:
    info = zipfile.ZipInfo(name, date_time=WHEN)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    made.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
