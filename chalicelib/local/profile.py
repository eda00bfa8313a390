"""The token of this server, and where the CLI finds it."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

NAME = "local"


def profile_path(config_home: Path) -> Path:
    return config_home / "noonday" / "profiles.json"


def known_token(path: Path) -> str | None:
    """The token that an earlier start created."""
    token = _read(path).get("profiles", {}).get(NAME, {}).get("token")
    return token if isinstance(token, str) and len(token) >= 16 else None


def new_token() -> str:
    return f"noonday_{secrets.token_hex(32)}"


def write_profile(path: Path, url: str, token: str) -> None:
    """Replace the file in one step, readable by nobody else; other profiles and choices stay.

    Raises:
        OSError: it cannot be written.
    """
    document = _read(path)
    profiles = document.get("profiles", {})
    owner = profiles.get(NAME, {}).get("owner")
    profiles[NAME] = {"url": url, "token": token, "owner": owner}
    current = document.get("current")
    document["current"] = current if current in profiles else NAME
    document["profiles"] = profiles
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".profiles-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    Path(temporary).replace(path)


def _read(path: Path) -> dict[str, Any]:
    """What is there, as far as it is a profile file: a broken one is replaced."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict) or not isinstance(document.get("profiles"), dict):
        return {}
    entries = document["profiles"].items()
    document["profiles"] = {key: entry for key, entry in entries if isinstance(entry, dict)}
    return document
