"""What the operator decides about targets: where files live, which databases, hosts and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from chalicelib.targets.allowance import Allowance

ENGINES = ("sqlite", "mysql")


class Keeper(Protocol):
    """A password that AWS keeps: a secret that is rotated, or a token of IAM."""

    def current(self) -> str:
        """Raises Unavailable when it cannot be had."""
        ...

    def renew(self) -> str:
        """Another one, because the database refused the current one."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """A database that definitions may name. The password is apart, so that the URL may be shown.

    ``sqlite:///relative.db``, ``sqlite:////absolute.db?mode=ro``, ``mysql://user@host:port/database`` with
    ``?tls=verify`` (the default beyond this machine), ``?tls=off``, ``?tls_ca=FILE`` or ``?socket=FILE``.
    ``keeper``: gives the password instead, anew for each connection. ``iam``: it is a token, which travels as
    it is, and so never without TLS.
    """

    name: str
    url: str
    password: str = field(default="", repr=False)
    keeper: Keeper | None = field(default=None, repr=False, compare=False)
    iam: bool = False

    @property
    def engine(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def options(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def sqlite_path(self) -> Path:
        """Three slashes begin a relative path, four an absolute one."""
        return Path(unquote(urlsplit(self.url).path.removeprefix("/")))

    def problem(self) -> str | None:
        """What the operator has to put right, or None."""
        parts = urlsplit(self.url)
        if parts.scheme not in ENGINES:
            return f"connection {self.name!r}: the URL begins with sqlite:/// or mysql://"
        if parts.password is not None:
            return f"connection {self.name!r}: the password does not belong into the URL"
        if parts.scheme == "sqlite" and (parts.netloc or parts.path in {"", "/"}):
            return (
                f"connection {self.name!r}: write sqlite:///relative.db or sqlite:////absolute.db"
            )
        if self.iam and (self.options.get("tls") == "off" or "socket" in self.options):
            return (
                f"connection {self.name!r}: tokens of IAM travel over TLS only; leave tls=off out"
            )
        if parts.scheme == "mysql" and not (parts.hostname or "socket" in self.options):
            return f"connection {self.name!r}: write mysql://user@host/database"
        return None


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """``files``: the root of results and of the programs' working folders. ``runs``: a folder a run.

    ``http_allow``: hosts (``host``, ``host:port``) and networks (``10.0.0.0/8``) that are reached although
    their addresses are private. ``output_limit``: bytes of a program's output that are kept.
    ``allow``: what may be launched on AWS, and in which role. ``keeps_files``: whether files outlive the
    process; those of a function of Lambda do not.
    """

    files: Path
    runs: Path
    connections: Mapping[str, Connection] = field(default_factory=dict)
    http_allow: tuple[str, ...] = ()
    process_enabled: bool = False
    process_path: str = "/usr/local/bin:/usr/bin:/bin"
    output_limit: int = 10_000_000
    allow: Allowance = field(default_factory=Allowance)
    aws_region: str | None = None
    keeps_files: bool = True
