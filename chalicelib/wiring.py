"""The composition root: settings become a store, targets and ports; together they are the engine.

A process composes Noonday once, at its first use: importing costs nothing and reaches nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from chalicelib.aws import Aws
from chalicelib.aws.authorities import authorities_for
from chalicelib.aws.credentials import (
    KeptPassword,
    iam_password,
    secret_password,
)
from chalicelib.channels import AWS_CHANNELS, ChannelRegistry, Webhook, WebhookSettings
from chalicelib.engine.callback_keys import stored_keys
from chalicelib.engine.callbacks import Callbacks
from chalicelib.engine.engine import Chores, Engine
from chalicelib.engine.ports import Alarm, Clock, Queue, Stops
from chalicelib.entropy import SystemChance, SystemIds
from chalicelib.model.credential import never_show
from chalicelib.model.errors import Unavailable
from chalicelib.model.retention import DAY_MS, Retention
from chalicelib.notifications.availability import Availability
from chalicelib.notifications.clock import CorrectedClock, SystemClock, in_a_thread, pause, wall_ms
from chalicelib.notifications.local_data import LocalData
from chalicelib.notifications.log import JsonLog
from chalicelib.settings import Database, Settings
from chalicelib.store import Passwords, SqlStore, Tls, open_store
from chalicelib.targets import (
    Allowance,
    Connection,
    GlueProbe,
    HttpProbe,
    Permission,
    S3Probe,
    SqlProbe,
    TargetRegistry,
    TargetSettings,
)


@dataclass(frozen=True, slots=True)
class Transport:
    """What carries wake-ups and messages: in one process memory, in the cloud queues.

    ``pause``: wait so many seconds; what comes early waits out the rest. ``address``: where this process
    is reached, unless the operator says something else.
    """

    queue: Queue
    alarm: Alarm
    stops: Stops
    pause: Callable[[float], None] = pause
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Noonday:
    """All of it, composed."""

    settings: Settings
    engine: Engine
    store: SqlStore
    targets: TargetRegistry
    log: JsonLog
    pause: Callable[[float], None]


def compose(
    settings: Settings, store: SqlStore, clock: Clock, transport: Transport, log: JsonLog
) -> Noonday:
    """The parts, put together; nothing is started and nothing is asked."""
    target_settings = _target_settings(settings)
    targets = TargetRegistry(target_settings, clock)
    conditions = Availability(
        {
            "file": LocalData(settings.files, there=settings.keeps_files),
            "s3": S3Probe(target_settings, clock),
            "glue": GlueProbe(target_settings, clock),
            "sql": SqlProbe(target_settings),
            "http": HttpProbe(target_settings),
        }
    )
    engine = Engine(
        clock=clock,
        ids=SystemIds(clock),
        chance=SystemChance(),
        store=store,
        queue=transport.queue,
        alarm=transport.alarm,
        targets=targets,
        conditions=conditions,
        artifacts=targets,
        stops=transport.stops,
        channels=_channels(settings, target_settings.allow, clock),
        listener=log,
        quotas=settings.quotas,
        callbacks=_callbacks(settings, store, clock, transport),
        chores=Chores(_retention(settings)),
    )
    return Noonday(settings, engine, store, targets, log, transport.pause)


def _callbacks(
    settings: Settings, store: SqlStore, clock: Clock, transport: Transport
) -> Callbacks:
    """Nothing is asked before the first run that is to call back. On AWS the function that takes jobs is told
    no address, for its own is made after it; those that launch are."""
    return Callbacks(
        settings.address or transport.address,
        stored_keys(store, SystemIds(clock), clock),
        elsewhere=settings.queues is not None,
    )


def _retention(settings: Settings) -> Retention:
    return Retention(settings.retention_days * DAY_MS or None, settings.retention_count or None)


def _channels(settings: Settings, allow: Allowance, clock: Clock) -> ChannelRegistry:
    aws = Aws(settings.aws_region, clock.now_ms)
    on_aws = (kind(aws, allow, settings.address) for kind in AWS_CHANNELS)
    return ChannelRegistry(Webhook(_webhook_settings(settings), clock), *on_aws)


def _webhook_settings(settings: Settings) -> WebhookSettings:
    return WebhookSettings(
        http_allow=settings.http_allow,
        secrets=settings.webhook_secrets,
        address=settings.address,
    )


def _target_settings(settings: Settings) -> TargetSettings:
    return TargetSettings(
        files=settings.files,
        runs=settings.runs,
        connections={
            name: _connection(name, database, settings)
            for name, database in settings.connections.items()
        },
        http_allow=settings.http_allow,
        process_enabled=settings.process,
        keeps_files=settings.keeps_files,
        allow=Allowance(
            [
                Permission(entry.owner, entry.kind, entry.resource, entry.role)
                for entry in settings.targets_allow
            ]
        ),
        aws_region=settings.aws_region,
    )


def _connection(name: str, database: Database, settings: Settings) -> Connection:
    """What AWS keeps of it is asked for with the first run that needs it."""
    keeper = None
    if database.secret is not None:
        keeper = secret_password(Aws(settings.aws_region, wall_ms), database.secret, wall_ms)
    elif database.iam:
        keeper = _iam_password(Aws(settings.aws_region, wall_ms), database.url)
    return Connection(name, database.url, database.password or "", keeper, database.iam)


def _iam_password(aws: Aws, url: str) -> KeptPassword:
    address = urlsplit(url)
    host, user = address.hostname or "", unquote(address.username or "")
    return iam_password(aws, host, address.port or 3306, user, wall_ms)


def open_database(settings: Settings, aws: Aws | None = None) -> SqlStore:
    """Raises NoondayError when the URL cannot be read; the database itself is not asked yet."""
    url = settings.database.url
    return open_store(
        url,
        password=password_of(settings, aws),
        tls=tls_of(settings),
        connections=settings.database_pool,
    )


def tls_of(settings: Settings) -> Tls | None:
    """How the state store is reached; None leaves it to the address."""
    host = urlsplit(settings.database.url).hostname or ""
    ca_file = settings.database_ca or authorities_for(host)
    return Tls(ca_file) if ca_file else None


def password_of(settings: Settings, aws: Aws | None = None) -> str | Passwords | None:
    """Of the state store; asked for with the first connection."""
    asking = aws or Aws(settings.aws_region, wall_ms)
    if settings.database_secret is not None:
        return secret_password(asking, settings.database_secret, wall_ms)
    if settings.database_iam:
        return _iam_password(asking, settings.database.url)
    return settings.database.password


def system_clock(store: SqlStore, database: Database) -> Clock:
    """A database on another machine has a clock of its own, and its word counts.

    Whoever is not in a unit asks for it at once, on the connection that is there: a thread beside would want
    one of its own, and a function sleeps when its event is over, with whatever its threads were at.
    """
    if database.url.startswith("sqlite:"):
        return SystemClock()

    def ask(sample: Callable[[], None]) -> None:
        if store.inside:
            in_a_thread(sample)
        else:
            sample()

    return CorrectedClock(store.database_now_ms, beside=ask)


def standard_log(settings: Settings, clock: Clock, *, for_people: bool = False) -> JsonLog:
    """Whatever this process knows that grants something is hidden from now on, here and in what is stored."""
    keep_secret(settings)
    return JsonLog(sys.stderr, settings.log, clock.now_ms, for_people=for_people)


def keep_secret(settings: Settings) -> None:
    passwords = [
        settings.database.password,
        *(one.password for one in settings.connections.values()),
    ]
    webhooks = [secret for several in settings.webhook_secrets.values() for secret in several]
    never_show(settings.token, *passwords, *webhooks)


def _nothing() -> Noonday:
    raise Unavailable(
        "Noonday is not composed in this process; serve it: python -m chalicelib.local"
    )


_composing = threading.Lock()
_make: Callable[[], Noonday] = _nothing
_made: Noonday | None = None


def provide(make: Callable[[], Noonday]) -> None:
    """How this process composes Noonday, when it is first asked for; what was made before is forgotten."""
    global _make, _made
    with _composing:
        _make, _made = make, None


def noonday() -> Noonday:
    """This process's Noonday.

    Raises:
        Unavailable: it cannot be composed now.
    """
    global _made  # noqa: PLW0603
    if _made is None:
        with _composing:
            if _made is None:
                _made = _make()
    return _made
