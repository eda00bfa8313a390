"""The only reader of the environment. ``SETTINGS`` has every name with its default and meaning."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.model.owner import MOST_BACKFILL, MOST_JOBS, MOST_WAITING, Quotas

SETTINGS: Mapping[str, tuple[str | None, str]] = {
    "NOONDAY_AUTH": (
        None,
        "who vouches for a principal: local (tokens of the store), iam or cognito (API Gateway); required",
    ),
    "NOONDAY_COGNITO_POOL": (None, "with cognito: the ARN of the user pool"),
    "NOONDAY_ADMINS": (
        "",
        "with iam and cognito: who may do everything, as role:NAME, user:NAME or group:NAME, by commas",
    ),
    "NOONDAY_DATABASE": (
        "sqlite:///.noonday/noonday.db",
        "the state store: sqlite:///PATH or mysql://USER@HOST[:PORT]/DATABASE",
    ),
    "NOONDAY_DATABASE_PASSWORD": (None, "its password, never part of the URL"),
    "NOONDAY_DATABASE_SECRET": (
        None,
        'instead of a password: the secret in AWS Secrets Manager that holds it, {"password": …}',
    ),
    "NOONDAY_DATABASE_IAM": (
        "off",
        "on or off: the database's user authenticates with tokens of AWS IAM",
    ),
    "NOONDAY_MASTER_SECRET": (
        None,
        "on AWS, for the function migrate alone: the secret of the database's master, as RDS keeps it",
    ),
    "NOONDAY_DATABASE_POOL": ("8", "1 to 64: connections that a process opens at most"),
    "NOONDAY_DATABASE_CA": (
        None,
        "a PEM file of authorities that may vouch for it; else Amazon's for RDS, and the system's",
    ),
    "NOONDAY_CONNECTION_<NAME>": (
        None,
        "a database that sql targets name as <name>, in lower case; its password: …_<NAME>_PASSWORD",
    ),
    "NOONDAY_CONNECTION_<NAME>_SECRET": (
        None,
        'instead of its password: the secret in AWS Secrets Manager that holds it, {"password": …}',
    ),
    "NOONDAY_CONNECTION_<NAME>_IAM": (
        "off",
        "on or off: its user authenticates with tokens of AWS IAM, over TLS",
    ),
    "NOONDAY_FILES": (".noonday/files", "the directory that holds local files, globs and results"),
    "NOONDAY_RUNS": (".noonday/runs", "the directory where process targets keep output and status"),
    "NOONDAY_HTTP_ALLOW": (
        "",
        "private hosts or networks that http targets and webhooks may call, separated by commas",
    ),
    "NOONDAY_WEBHOOK_SECRETS": (
        None,
        'what signs notifications: whsec_… texts; or JSON, {"owner or *": ["whsec_…"]}; or a file',
    ),
    "NOONDAY_URL": (
        None,
        "where others reach this server; links in notifications lead there, and targets call back there",
    ),
    "NOONDAY_TARGETS_ALLOW": (
        None,
        "what jobs may launch and look at on AWS: a JSON list of {owner, kind, resource, role}, or a file",
    ),
    "NOONDAY_AWS_REGION": (None, "the region of targets on AWS; else AWS_REGION's"),
    "NOONDAY_QUEUES": (
        None,
        "on AWS: the URL of the queues up to their names, https://sqs.REGION.amazonaws.com/ACCOUNT/PREFIX-",
    ),
    "NOONDAY_STAGE": (None, "on AWS: the stage, which is part of the names of queues"),
    "NOONDAY_PROCESS": ("off", "on or off: whether process targets may run programs here"),
    "NOONDAY_WORKERS": ("16", "1 to 256: inline runs at the same moment, in the embedded server"),
    "NOONDAY_GRACE": (
        "20",
        "0 to 600: seconds that the embedded server lets runs finish at its end",
    ),
    "NOONDAY_MAX_JOBS": (
        "10000",
        "0 to 1000000: jobs of an owner, deleted ones left out, where an admin set no limit of its own",
    ),
    "NOONDAY_MAX_WAITING": (
        "100000",
        "0 to 10000000: instances of an owner that wait, in the same way",
    ),
    "NOONDAY_MAX_BACKFILL": (
        "10000",
        "0 to 100000: nominal times of one backfill, in the same way",
    ),
    "NOONDAY_RETENTION_DAYS": (
        "365",
        "0 to 36500: instances that ended longer ago are purged, unless their job says otherwise; 0: never",
    ),
    "NOONDAY_RETENTION_COUNT": (
        "0",
        "0 to 100000: all but the newest so many instances of a job are purged; 0: none",
    ),
    "NOONDAY_TOKEN": (
        None,
        "the embedded server's token, 16 characters or more; else one is created",
    ),
    "NOONDAY_LOG": ("info", "debug, info, error or off: which JSON lines go to standard error"),
}

_OF_THE_CLI = frozenset({"NOONDAY_OWNER", "NOONDAY_PROFILE", "NOONDAY_OUTPUT"})
AUTHS = ("local", "iam", "cognito")
_IDENTITY = re.compile(r"(role|user|group):(\d{12}:)?[a-z0-9][\w.@+=,-]*")
_CONNECTION = re.compile(r"NOONDAY_CONNECTION_([A-Z0-9_]+)")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
AWS_KINDS = (
    *("athena", "aws", "batch", "codebuild", "ecs", "events", "glue", "lambda", "lambda_sync"),
    *("glue_data", "redshift_data", "s3", "s3_results", "sns", "sqs", "step_functions"),
)
_SECRET = re.compile(r"whsec_([A-Za-z0-9+/=]+)")
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(:\d{1,5})?")


class BadSetting(Exception):
    """A setting that cannot be used; the message names it, says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where a database is. The password is no part of what is shown."""

    url: str
    password: str | None = field(default=None, repr=False)
    secret: str | None = None
    iam: bool = False


@dataclass(frozen=True, slots=True)
class PermittedTarget:
    """What an owner may launch on AWS: patterns of owner and resource, a kind, and the role to assume."""

    owner: str
    kind: str
    resource: str
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the environment decides. Secrets are never shown by ``repr``."""

    auth: str
    admins: frozenset[str]
    database: Database
    database_secret: str | None
    database_iam: bool
    master_secret: str | None
    database_ca: Path | None
    database_pool: int
    connections: Mapping[str, Database]
    files: Path
    runs: Path
    http_allow: tuple[str, ...]
    webhook_secrets: Mapping[str, tuple[str, ...]] = field(repr=False)
    address: str | None
    targets_allow: tuple[PermittedTarget, ...]
    aws_region: str | None
    queues: str | None
    process: bool
    workers: int
    grace_s: int
    quotas: Quotas
    retention_days: int
    retention_count: int
    token: str | None = field(repr=False)
    log: str
    warnings: tuple[str, ...]

    @property
    def keeps_files(self) -> bool:
        """Functions of Lambda share no disk, unless the operator mounted one and names it."""
        return self.queues is None or self.files.is_absolute()


def environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 -- this is the one place


def config_home(environ: Mapping[str, str]) -> Path:
    """Where a person's settings live: XDG_CONFIG_HOME, or ~/.config."""
    chosen = environ.get("XDG_CONFIG_HOME", "")
    return Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".config"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The environment, checked.

    Raises:
        BadSetting: at the first setting that cannot be used.
    """
    return Settings(
        auth=_auth(environ),
        admins=frozenset(_admins(environ)),
        database=_database(environ, "NOONDAY_DATABASE"),
        database_secret=environ.get("NOONDAY_DATABASE_SECRET") or None,
        database_iam=_choice(environ, "NOONDAY_DATABASE_IAM", ("on", "off")) == "on",
        master_secret=environ.get("NOONDAY_MASTER_SECRET") or None,
        database_ca=_file(environ, "NOONDAY_DATABASE_CA"),
        database_pool=_number(environ, "NOONDAY_DATABASE_POOL", 1, 64),
        connections=dict(_connections(environ)),
        files=Path(_get(environ, "NOONDAY_FILES")),
        runs=Path(_get(environ, "NOONDAY_RUNS")),
        http_allow=tuple(_allowed(_get(environ, "NOONDAY_HTTP_ALLOW"))),
        webhook_secrets=webhook_secrets(environ.get("NOONDAY_WEBHOOK_SECRETS") or ""),
        address=_address(environ),
        targets_allow=tuple(permitted(environ.get("NOONDAY_TARGETS_ALLOW") or "[]")),
        aws_region=_region(environ),
        queues=_queues(environ),
        process=_choice(environ, "NOONDAY_PROCESS", ("on", "off")) == "on",
        workers=_number(environ, "NOONDAY_WORKERS", 1, 256),
        grace_s=_number(environ, "NOONDAY_GRACE", 0, 600),
        quotas=Quotas(
            jobs=_number(environ, "NOONDAY_MAX_JOBS", 0, MOST_JOBS),
            waiting=_number(environ, "NOONDAY_MAX_WAITING", 0, MOST_WAITING),
            backfill=_number(environ, "NOONDAY_MAX_BACKFILL", 0, MOST_BACKFILL),
        ),
        retention_days=_number(environ, "NOONDAY_RETENTION_DAYS", 0, 36_500),
        retention_count=_number(environ, "NOONDAY_RETENTION_COUNT", 0, 100_000),
        token=_token(environ),
        log=_choice(environ, "NOONDAY_LOG", ("debug", "info", "error", "off")),
        warnings=tuple(_mistyped(environ)),
    )


def _get(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or SETTINGS[name][0] or ""


def _auth(environ: Mapping[str, str]) -> str:
    value = environ.get("NOONDAY_AUTH", "")
    if value in AUTHS:
        return value
    if not value:
        raise BadSetting(
            "NOONDAY_AUTH is not set, and nobody is let in by default; set NOONDAY_AUTH=local"
        )
    raise BadSetting(f"NOONDAY_AUTH is {value!r}; set it to one of {', '.join(AUTHS)}")


def _admins(environ: Mapping[str, str]) -> Iterator[str]:
    for name in filter(None, (part.strip() for part in _get(environ, "NOONDAY_ADMINS").split(","))):
        if not _IDENTITY.fullmatch(name.lower()):
            raise BadSetting(
                f"NOONDAY_ADMINS names {name!r}; write role:NAME, user:NAME or group:NAME"
            )
        yield name.lower()


def _database(environ: Mapping[str, str], name: str) -> Database:
    """A URL with a password is refused without repeating it: URLs are logged."""
    url = environ.get(name) or SETTINGS.get(name, ("", ""))[0] or ""
    try:
        parts = urlsplit(url)
        carries_password, _ = parts.password is not None, parts.port
    except ValueError as error:
        raise BadSetting(f"{name} is no URL: {error}") from None
    if carries_password:
        raise BadSetting(f"{name} carries a password; put it into {name}_PASSWORD instead")
    if not url.startswith(("sqlite:///", "mysql://")) or len(parts.path) < 2:
        shown = f"a URL of scheme {parts.scheme!r}" if parts.scheme else "no URL"
        raise BadSetting(
            f"{name} is {shown}; write sqlite:///PATH or mysql://USER@HOST[:PORT]/DATABASE"
        )
    return Database(url, environ.get(f"{name}_PASSWORD"))


def _connections(environ: Mapping[str, str]) -> Iterator[tuple[str, Database]]:
    for name in sorted(environ):
        match = _CONNECTION.fullmatch(name)
        if match and not _belongs(environ, name):
            database = _database(environ, name)
            iam = environ.get(f"{name}_IAM", "").strip() or "off"
            if iam not in ("on", "off"):
                raise BadSetting(f"{name}_IAM is {iam!r}; set it to on or off")
            kept = replace(database, secret=environ.get(f"{name}_SECRET") or None, iam=iam == "on")
            if kept.iam + (kept.secret is not None) + bool(kept.password) > 1:
                raise BadSetting(
                    f"{name} has several of _PASSWORD, _SECRET and _IAM; set one of them"
                )
            yield match[1].lower(), kept


def _belongs(environ: Mapping[str, str], name: str) -> bool:
    """Whether it is a setting of a connection, and no connection of that name."""
    head, _, end = name.rpartition("_")
    return end == "PASSWORD" or (end in ("SECRET", "IAM") and head in environ)


def _allowed(text: str) -> Iterator[str]:
    for entry in filter(None, (part.strip() for part in text.split(","))):
        if not _is_network(entry) and not _HOST.fullmatch(entry):
            raise BadSetting(
                f"NOONDAY_HTTP_ALLOW names {entry!r}, which is neither a host (localhost) "
                "nor a network (10.0.0.0/8)"
            )
        yield entry


def webhook_secrets(text: str) -> Mapping[str, tuple[str, ...]]:
    """By owner, ``*`` for all others. Mistakes are told without repeating a secret."""
    name = "NOONDAY_WEBHOOK_SECRETS"
    if text and not text.lstrip().startswith(("whsec_", "{")):
        path = Path(text)
        if not path.is_file():
            raise BadSetting(f"{name} is neither whsec_…, nor JSON, nor a file")
        text = path.read_text(encoding="utf-8")
    if not text.strip():
        return {}
    if not text.lstrip().startswith("{"):
        return {"*": _secrets(name, "*", re.split(r"[\s,]+", text.strip()))}
    try:
        document = json.loads(text)
    except ValueError:
        raise BadSetting(f'{name} is no JSON; write {{"*": ["whsec_…"]}}') from None
    return {owner: _secrets(name, owner, listed) for owner, listed in document.items()}


def _secrets(name: str, owner: str, listed: object) -> tuple[str, ...]:
    texts = listed if isinstance(listed, list) else [listed]
    for text in texts:
        match = _SECRET.fullmatch(text) if isinstance(text, str) else None
        try:
            size = len(base64.b64decode(match[1], validate=True)) if match else 0
        except ValueError:
            size = 0
        if not 24 <= size <= 64:
            raise BadSetting(
                f"{name}: a secret of {owner} is not whsec_ and 24 to 64 bytes in base64; make one: "
                "echo whsec_$(head -c 32 /dev/urandom | base64)"
            )
    return tuple(str(text) for text in texts)


def _address(environ: Mapping[str, str]) -> str | None:
    address = environ.get("NOONDAY_URL") or None
    if address is not None and not re.fullmatch(r"https?://[^/?#\s@]+(/[^?#\s]*)?", address):
        raise BadSetting(f"NOONDAY_URL is {address!r}; write https://noonday.example.com")
    return address


def _region(environ: Mapping[str, str]) -> str | None:
    for name in ("NOONDAY_AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"):
        region = environ.get(name)
        if region:
            if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
                raise BadSetting(f"{name} is {region!r}, which is no region; write eu-central-1")
            return region
    return None


def _queues(environ: Mapping[str, str]) -> str | None:
    prefix = environ.get("NOONDAY_QUEUES") or None
    if prefix is not None and not re.fullmatch(r"https?://[^/?#]+/\d{12}/[A-Za-z0-9_-]*", prefix):
        raise BadSetting(
            f"NOONDAY_QUEUES is {prefix!r}; write https://sqs.REGION.amazonaws.com/ACCOUNT/PREFIX-"
        )
    return prefix


def queue_name(environ: Mapping[str, str], name: str) -> str:
    """What a queue of this stage is called."""
    stage = environ.get("NOONDAY_STAGE")
    return f"noonday-{stage}-{name}" if stage else f"noonday-{name}"


def permitted(text: str) -> Iterator[PermittedTarget]:
    """A list of objects; every mistake in it is refused, for an entry that does nothing is none."""
    name = "NOONDAY_TARGETS_ALLOW"
    if not text.lstrip().startswith(("[", "{")):
        path = Path(text)
        if not path.is_file():
            raise BadSetting(f"{name} is neither a JSON list nor a file: {text!r}")
        text = path.read_text(encoding="utf-8")
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise BadSetting(f"{name} is no JSON: {error}") from None
    for entry in entries if isinstance(entries, list) else [entries]:
        yield _permission(name, entry)


def _permission(name: str, entry: object) -> PermittedTarget:
    form = (
        '{"owner": "team-*", "kind": "lambda", "resource": "nightly-*", "role": "arn:aws:iam::…"}'
    )
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
    texts = all(value and isinstance(value, str) for value in fields.values())
    if not texts or set(fields) | {"role"} != {"owner", "kind", "resource", "role"}:
        raise BadSetting(
            f"{name}: each entry is like {form}, without role if none is assumed: {entry!r}"
        )
    if fields["kind"] not in (*AWS_KINDS, "*"):
        raise BadSetting(
            f"{name}: {fields['kind']!r} is no kind on AWS; there are {', '.join(AWS_KINDS)}"
        )
    if not _ROLE.fullmatch(fields.get("role", "arn:aws:iam::000000000000:role/x")):
        raise BadSetting(
            f"{name}: {fields['role']!r} is no role; write arn:aws:iam::ACCOUNT:role/NAME"
        )
    return PermittedTarget(**fields)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = _get(environ, name).lower()
    if value not in choices:
        raise BadSetting(f"{name} is {value!r}; it is one of {', '.join(choices)}")
    return value


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    if not text:
        return None
    if not Path(text).is_file():
        raise BadSetting(f"{name} is {text!r}, where no file is")
    return Path(text)


def _number(environ: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = _get(environ, name)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadSetting(f"{name} is {text!r}; it is a whole number from {least} to {most}")
    return int(text)


def _token(environ: Mapping[str, str]) -> str | None:
    token = environ.get("NOONDAY_TOKEN") or None
    if token is not None and (len(token) < 16 or not re.fullmatch(r"[!-~]+", token)):
        raise BadSetting(
            "NOONDAY_TOKEN is too weak or not plain; use 16 or more letters, digits and signs, no spaces"
        )
    return token


def _mistyped(environ: Mapping[str, str]) -> Iterator[str]:
    """A setting misspelt would silently do nothing: say so."""
    known = [name for name in SETTINGS if "<" not in name]
    is_known: Callable[[str], object] = lambda name: (  # noqa: E731
        name in SETTINGS or name in _OF_THE_CLI or _CONNECTION.fullmatch(name)
    )
    for name in sorted(environ):
        if name.startswith("NOONDAY_") and not is_known(name):
            close = get_close_matches(name, known, n=1, cutoff=0.8)
            if close:
                yield f"{name} is not a setting and does nothing; did you mean {close[0]}?"
