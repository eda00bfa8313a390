"""The function migrate, on MariaDB and MySQL: a database is made ready for a user who may little."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from os import getpid
from typing import Any

import pymysql
import pytest

from app import migrate
from chalicelib import cloud, wiring
from chalicelib.local.context import EventContext
from chalicelib.model.errors import InvalidInput, NoondayError, Unavailable
from chalicelib.store import open_store
from chalicelib.store.grants import Grant, excess, is_complete, place_of
from chalicelib.store.migrations import migrations
from tests.cloud.amazon import Amazon, refuse
from tests.databases import SERVERS, Server

NEWEST = migrations("mysql")[-1].number
FIRST = "first-password"
_numbers = count()


@dataclass
class Deployed:
    """A database that does not exist yet, and the functions that will work on it."""

    server: Server
    amazon: Amazon
    database: str
    user: str
    setting: Callable[[str, str], None]

    def migrate(self, **event: Any) -> Mapping[str, Any]:
        answer = migrate(event, EventContext("migrate", limit_s=900))
        json.dumps(answer)  # as Lambda hands it on
        return dict(answer)

    def secret(self, name: str, **content: str) -> None:
        secrets = self.amazon.client("secretsmanager")
        text = json.dumps(content)
        try:
            secrets.create_secret(Name=name, SecretString=text)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=name, SecretString=text)

    def run(self, sql: str, password: str = FIRST) -> None:
        """As the application's user."""
        with (
            closing(
                pymysql.connect(
                    host=self.server.host,
                    port=self.server.port,
                    user=self.user,
                    password=password,
                    database=self.database,
                    ssl_disabled=True,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)

    def grants(self) -> list[str]:
        shown = self.server.execute(f"SHOW GRANTS FOR '{self.user}'@'%'")
        return [str(one) for (one,) in shown]


@pytest.fixture(params=SERVERS)
def deployed(
    request: pytest.FixtureRequest, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployed]:
    server: Server = request.getfixturevalue(request.param)
    number = f"{getpid()}_{next(_numbers)}"
    made = Deployed(
        server, amazon, f"noonday_dep_{number}", f"noonday_{number}"[:32], monkeypatch.setenv
    )
    made.secret("master", username=server.user, password="")
    made.secret("application", username=made.user, password=FIRST)
    where = f"{server.host}:{server.port}/{made.database}"
    for name, value in {
        "NOONDAY_AUTH": "iam",
        "NOONDAY_ADMINS": "role:Operators",
        "NOONDAY_DATABASE": f"mysql://{made.user}@{where}",
        "NOONDAY_DATABASE_SECRET": "application",
        "NOONDAY_MASTER_SECRET": "master",
    }.items():
        monkeypatch.setenv(name, value)
    yield made
    server.execute(f"DROP DATABASE IF EXISTS {made.database}")
    server.execute(f"DROP USER IF EXISTS '{made.user}'@'%'")


def test_from_nothing_to_a_database_that_works(deployed: Deployed) -> None:
    answer = deployed.migrate()
    assert answer["did"][0] == f"created the database {deployed.database}"
    assert len(answer["migrations"]) == NEWEST
    assert answer["schema"] == answer["program"] == NEWEST
    assert answer["admins"] == ["role:operators"]
    assert answer["warnings"] == []
    assert abs(answer["clock_ms"]) < 60_000
    assert FIRST not in json.dumps(answer)
    url = (
        f"mysql://{deployed.user}@{deployed.server.host}:{deployed.server.port}/{deployed.database}"
    )
    with closing(open_store(url, password=FIRST)) as store:  # every statement's rights are there
        store.transact(lambda tx: tx.insert_owner("team", 0))
        store.transact(lambda tx: tx.note("a", "b"))
        assert store.read(lambda reader: reader.owners()) == ["team"]


FORBIDDEN = (
    "DROP TABLE scheduler_jobs",
    "ALTER TABLE scheduler_jobs ADD COLUMN x INT",
    "CREATE TABLE x (x INT)",
    "TRUNCATE TABLE scheduler_jobs",
    "CREATE USER 'x'@'%' IDENTIFIED BY 'x'",
    "GRANT SELECT ON {database}.* TO '{user}'@'%'",
    "SELECT COUNT(*) FROM mysql.user",
    "CREATE DATABASE noonday_dep_other",
    "SET GLOBAL max_connections = 1",
)


def test_the_application_may_do_no_more_than_it_does(deployed: Deployed) -> None:
    deployed.migrate()
    deployed.run("SELECT COUNT(*) FROM scheduler_jobs")
    for forbidden in FORBIDDEN:
        with pytest.raises(pymysql.err.Error, match="denied"):
            deployed.run(forbidden.format(database=deployed.database, user=deployed.user))


def test_a_neighbour_of_a_like_name_is_none_of_its_business(deployed: Deployed) -> None:
    """The underscore of a database's name is a wildcard in a grant, unless it is told not to be."""
    neighbour = deployed.database.replace("noonday_dep_", "noondayXdep_")
    deployed.server.create(neighbour)
    try:
        deployed.migrate()
        with pytest.raises(pymysql.err.Error, match="denied"):
            deployed.run(f"SELECT 1 FROM {neighbour}.x")
    finally:
        deployed.server.execute(f"DROP DATABASE {neighbour}")


def test_repeating_it_does_nothing(deployed: Deployed) -> None:
    first = deployed.migrate()
    again = deployed.migrate(action="migrate")
    assert again["did"] == again["migrations"] == []
    assert again["schema"] == first["schema"]


def test_what_somebody_gave_it_besides_is_taken_again(deployed: Deployed) -> None:
    deployed.migrate()
    account = f"'{deployed.user}'@'%'"
    for grant in (
        f"GRANT ALL PRIVILEGES ON {deployed.database}.* TO {account}",
        f"GRANT CREATE, DROP ON *.* TO {account} WITH GRANT OPTION",
        f"GRANT SELECT (name), UPDATE (name, value) ON {deployed.database}.scheduler_meta TO {account}",
    ):
        deployed.server.execute(grant)
    answer = deployed.migrate()
    assert [one for one in answer["did"] if one.startswith("revoked ")]
    assert excess(deployed.grants(), place_of(deployed.database)) == []
    deployed.run("SELECT COUNT(*) FROM scheduler_jobs")
    with pytest.raises(pymysql.err.Error, match="denied"):
        deployed.run("DROP TABLE scheduler_jobs")
    assert deployed.migrate()["did"] == []


def test_a_password_that_was_changed_in_its_secret_is_changed_here(deployed: Deployed) -> None:
    deployed.migrate()
    deployed.secret("application", username=deployed.user, password='it\'s % a \\ "second" one')
    answer = deployed.migrate()
    assert answer["did"] == [f"user {deployed.user} authenticates with the password of its secret"]
    deployed.run("SELECT 1", password='it\'s % a \\ "second" one')
    with pytest.raises(pymysql.err.Error, match="denied"):
        deployed.run("SELECT 1")


def test_dying_anywhere_leaves_what_a_repetition_completes(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each statement of the master's in turn; the schema has the same trial of its own."""
    from chalicelib.store import mysql  # noqa: PLC0415 - its connections are what dies here

    change = mysql.MysqlLink.change
    moment = 0
    while True:
        left = iter(range(moment))

        def dying(link: Any, sql: str, parameters: Any, left: Any = left) -> int:
            done = change(link, sql, parameters)
            if "scheduler_" not in sql and next(left, None) is None:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(mysql.MysqlLink, "change", dying)
        with suppress(KeyboardInterrupt):
            deployed.migrate()
            break
        monkeypatch.setattr(mysql.MysqlLink, "change", change)
        assert deployed.migrate()["schema"] == NEWEST
        deployed.run("SELECT COUNT(*) FROM scheduler_jobs")
        deployed.server.execute(f"DROP DATABASE {deployed.database}")
        deployed.server.execute(f"DROP USER '{deployed.user}'@'%'")
        moment += 1
    assert moment >= 3


def test_a_look_changes_nothing(deployed: Deployed) -> None:
    with pytest.raises(Unavailable):  # nobody has made it ready
        deployed.migrate(action="check")
    deployed.migrate()
    assert deployed.migrate(action="check")["schema"] == NEWEST
    older = "UPDATE scheduler_meta SET value = '3' WHERE name = 'schema_version'"
    deployed.server.execute(older, deployed.database)
    with pytest.raises(Unavailable, match="is at version 3, this program needs"):
        deployed.migrate(action="check")


def test_iam_is_rdss_own(deployed: Deployed) -> None:
    """No other server has its plugin: all but the user is done, and it says what is missing."""
    deployed.setting("NOONDAY_DATABASE_IAM", "on")
    deployed.setting("NOONDAY_DATABASE_SECRET", "")
    with pytest.raises(Unavailable, match="is it one of RDS, with authentication by IAM"):
        deployed.migrate()


def test_a_restored_database_is_held_before_anybody_is_connected(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs no master, whose secret may be another after a restore; to hold it again changes nothing."""
    deployed.migrate()
    deployed.setting("NOONDAY_MASTER_SECRET", "")
    deployed.setting(
        "NOONDAY_QUEUES", "https://sqs.eu-central-1.amazonaws.com/123456789012/noonday-test-"
    )
    monkeypatch.setattr(wiring, "_make", cloud.compose)
    monkeypatch.setattr(wiring, "_made", None)
    held = deployed.migrate(action="pause", reason="restored the backup of 9 o'clock")
    assert held["paused"]["reason"] == "restored the backup of 9 o'clock"
    assert held["schema"] == NEWEST
    assert deployed.migrate(action="pause")["paused"] == held["paused"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"action": "drop"}, "action"),
        ({"tables": []}, "is not known here"),
        ({"reason": "x"}, "reason"),
        ([], "event"),
    ],
)
def test_who_asks_for_something_else_is_refused(event: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        migrate(event, EventContext("migrate", limit_s=900))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NOONDAY_MASTER_SECRET", "", "NOONDAY_MASTER_SECRET is not set"),
        ("NOONDAY_MASTER_SECRET", "absent", "the database's secret cannot be read"),
        ("NOONDAY_DATABASE_SECRET", "", "NOONDAY_DATABASE_SECRET, or NOONDAY_DATABASE_IAM=on"),
        ("NOONDAY_DATABASE", "sqlite:///x.db", "is a file, which has no users"),
        ("NOONDAY_DATABASE", "mysql://root@127.0.0.1/noonday", "names the master 'root'"),
        ("NOONDAY_AUTH", "", "NOONDAY_AUTH is not set"),
    ],
)
def test_what_is_wrong_is_said(deployed: Deployed, name: str, value: str, said: str) -> None:
    deployed.setting(name, value)
    with pytest.raises(NoondayError, match=said):
        deployed.migrate()


def test_a_password_that_the_server_refuses_is_not_repeated(
    deployed: Deployed, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed.secret("master", username=deployed.server.user, password="wr0ng-master")
    with pytest.raises(Unavailable, match="cannot be reached") as refused:
        deployed.migrate()
    said = f"{refused.value}{''.join(capfd.readouterr())}"
    assert "wr0ng-master" not in said


def test_without_admins_somebody_is_told(deployed: Deployed) -> None:
    deployed.setting("NOONDAY_ADMINS", "")
    assert "nobody is an admin" in deployed.migrate()["warnings"][0]


def test_with_tokens_the_first_admin_is_the_operators(deployed: Deployed) -> None:
    deployed.setting("NOONDAY_AUTH", "local")
    deployed.setting("NOONDAY_TOKEN", "the-operators-own-token")
    for _ in range(2):
        assert "the-operators-own-token" not in json.dumps(deployed.migrate())
    admins = "SELECT principal, admin FROM scheduler_tokens"
    assert deployed.server.execute(admins, deployed.database) == [("admin", 1)]


def test_a_secret_that_may_not_be_read_fails_the_deployment(deployed: Deployed) -> None:
    deployed.amazon.fail("GetSecretValue", refuse(400, "AccessDeniedException"))
    with pytest.raises(Unavailable, match="AccessDenied"):
        deployed.migrate()


def test_only_over_tls_where_there_is_tls(
    mariadb: Server, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = f"noonday_tls_{getpid()}"
    made = Deployed(mariadb, amazon, f"noonday_tls_{getpid()}", user, monkeypatch.setenv)
    made.secret("master", username="root", password="")
    made.secret("application", password=FIRST)
    where = f"{mariadb.host}:{mariadb.port}/{made.database}"
    for name, value in {
        "NOONDAY_AUTH": "iam",
        "NOONDAY_DATABASE": f"mysql://{user}@{where}",
        "NOONDAY_DATABASE_SECRET": "application",
        "NOONDAY_DATABASE_CA": str(mariadb.ca_file),
        "NOONDAY_MASTER_SECRET": "master",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        assert made.migrate()["schema"] == NEWEST
        with pytest.raises(pymysql.err.Error, match="denied"):  # in the clear
            made.run("SELECT 1")
        assert made.migrate()["did"] == []
    finally:
        mariadb.execute(f"DROP DATABASE IF EXISTS {made.database}")
        mariadb.execute(f"DROP USER IF EXISTS '{user}'@'%'")


PLACE = place_of("noonday")


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("GRANT USAGE ON *.* TO `n`@`%` IDENTIFIED BY PASSWORD '*0' REQUIRE SSL", []),
        ("GRANT SELECT, INSERT ON `noonday`.* TO `n`@`%`", []),
        ("GRANT SELECT ON *.* TO `n`@`%`", [Grant("SELECT", "*.*")]),
        ("GRANT DROP, SELECT ON `noonday`.* TO `n`@`%`", [Grant("DROP", PLACE)]),
        ("GRANT BACKUP_ADMIN ON *.* TO `n`@`%`", [Grant("BACKUP_ADMIN", "*.*")]),
        ("GRANT `boss`@`%` TO `n`@`%`", [Grant("`boss`@`%`", None)]),
        (
            "GRANT SELECT (`a`, `b`) ON `noonday`.`t` TO `n`@`%`",
            [Grant("SELECT (`a`, `b`)", "`noonday`.`t`")],
        ),
        (
            "GRANT USAGE ON *.* TO `n`@`%` WITH GRANT OPTION",
            [Grant("GRANT OPTION", "*.*")],
        ),
    ],
)
def test_what_is_too_much(shown: str, found: list[Grant]) -> None:
    assert excess([shown], PLACE) == found


def test_what_is_enough() -> None:
    assert is_complete(["GRANT SELECT, INSERT, UPDATE, DELETE ON `noonday`.* TO `n`@`%`"], PLACE)
    assert not is_complete(["GRANT SELECT, INSERT, UPDATE ON `noonday`.* TO `n`@`%`"], PLACE)
    assert place_of("a_b`c%") == r"`a\_b``c\%`.*"
