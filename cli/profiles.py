"""The profile file: which servers there are, and with which token. It is readable by its owner only."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cli.errors import Failure, Misused, Unreadable
from cli.gateway import AUTHS

LOCAL = "http://127.0.0.1:8080"
_SETTINGS = ("url", "token", "owner", "auth", "region", "aws_profile", "client_id", "refresh")


@dataclass(frozen=True, slots=True)
class Profile:
    """One server: its address, how and by which token it knows us, and the team to act for.

    ``auth``: token, iam or cognito; None: as the address suggests. ``region`` and ``aws_profile``: for iam.
    ``client_id``: of the user pool. ``refresh``: what renews the token of somebody who signed in there.
    """

    url: str | None = None
    token: str | None = None
    owner: str | None = None
    auth: str | None = None
    region: str | None = None
    aws_profile: str | None = None
    client_id: str | None = None
    refresh: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Profiles:
    """The file as a value. ``current`` names the profile that is used when none is named."""

    current: str = "local"
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def named(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            Misused: there is none.
        """
        if name not in self.profiles:
            raise Misused(f"there is no profile {name!r}", hint=self._known())
        return self.profiles[name]

    def chosen(self) -> Profile:
        return self.profiles.get(self.current, Profile())

    def with_setting(self, name: str, setting: str, value: str | None) -> Profiles:
        changed = replace(self.profiles.get(name, Profile()), **{setting: value})
        return replace(self, profiles={**self.profiles, name: changed})

    def with_token(self, name: str, token: str | None, refresh: str | None = None) -> Profiles:
        """Another token; what renewed the one before is gone with it."""
        changed = self.with_setting(name, "token", token)
        return changed.with_setting(name, "refresh", refresh)

    def using(self, name: str) -> Profiles:
        self.named(name)
        return replace(self, current=name)

    def _known(self) -> str:
        names = ", ".join(sorted(self.profiles)) or "none yet"
        return f"there are: {names}; make one with noonday --profile NAME config set url URL"


def path_of(environment: Mapping[str, str]) -> Path:
    """Where the profile file is; XDG_CONFIG_HOME is respected when it is absolute, as its rules say."""
    configured = environment.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / "noonday" / "profiles.json"


def load(path: Path) -> Profiles:
    """The file's profiles; none when there is no file.

    Raises:
        Unreadable: the file is not a profile file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profiles()
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("profiles", {}), dict):
        raise _broken(path, "it is not of the form {current, profiles}")
    profiles = {
        str(name): _profile(entry, path) for name, entry in document.get("profiles", {}).items()
    }
    return Profiles(current=str(document.get("current") or "local"), profiles=profiles)


def save(profiles: Profiles, path: Path) -> None:
    """Replace the file in one step, mode 0600: a reader sees the old one or the new one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".profiles-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(_document(profiles), file, indent=2)
            file.write("\n")
        Path(temporary).replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error


def _profile(entry: object, path: Path) -> Profile:
    if not isinstance(entry, dict):
        raise _broken(path, "a profile is {url, token, owner}")
    for key in _SETTINGS:
        if not isinstance(entry.get(key), str | None):
            raise _broken(path, f"{key} is a text")
    auth = entry.get("auth")
    if auth is not None and auth not in AUTHS:
        raise _broken(path, f"auth is {', '.join(AUTHS)}, not {auth!r}")
    return Profile(**{key: entry.get(key) for key in _SETTINGS})


def _document(profiles: Profiles) -> dict[str, Any]:
    """Settings that only some servers need are left out where they are not set."""
    document = asdict(profiles)
    for entry in document["profiles"].values():
        for key in _SETTINGS[3:]:
            if entry[key] is None:
                del entry[key]
    return document


def _broken(path: Path, why: str) -> Unreadable:
    return Unreadable(
        f"the profile file {path} cannot be read: {why}",
        hint="correct it, or delete it and start make run or use noonday config set",
    )
