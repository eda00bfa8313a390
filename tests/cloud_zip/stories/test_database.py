"""The function ``migrate``: the first that is called, and again at every deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from chalicelib.store.migrations import migrations
from tests.cloud.amazon import refuse
from tests.cloud_zip.account import Account, a_job
from tests.cloud_zip.deploying import PREFIX
from tests.cloud_zip.front import Front
from tests.cloud_zip.runtime import Code, Function, Raised
from tests.cloud_zip.stories.told import complaints, saying
from tests.databases import Server

SCHEMA, USER = "noonday_story", "noonday_app"
MASTER, APPLICATION = "story-master", "story-application"
MASTERS, FIRST = "masters-own-word", "applications-own-word"
NEWEST = migrations("mysql")[-1].number
FORBIDDEN = (
    "DROP TABLE scheduler_jobs",
    "ALTER TABLE scheduler_jobs ADD COLUMN x INT",
    "TRUNCATE TABLE scheduler_jobs",
    f"GRANT SELECT ON {SCHEMA}.* TO '{USER}'@'%'",
    "SELECT COUNT(*) FROM mysql.user",
    "SELECT COUNT(*) FROM noonday.scheduler_jobs",
)


@pytest.fixture
def empty(story: Account, database: Server) -> Iterator[Server]:
    """A server whose master has a secret, and no database of ours."""
    database.execute(f"CREATE USER story_master IDENTIFIED BY '{MASTERS}' REQUIRE SSL")
    database.execute("GRANT ALL PRIVILEGES ON *.* TO story_master WITH GRANT OPTION")
    for name, user, password in ((MASTER, "story_master", MASTERS), (APPLICATION, USER, FIRST)):
        text = f'{{"username": "{user}", "password": "{password}"}}'
        story.amazon.client("secretsmanager").create_secret(Name=name, SecretString=text)
    yield database
    database.execute(f"DROP DATABASE IF EXISTS {SCHEMA}")
    database.execute(f"DROP USER IF EXISTS '{USER}'@'%', 'story_master'@'%'")


@pytest.fixture
def made(
    story: Account, empty: Server, code: Code, tmp_path: Path
) -> Iterator[Callable[[str], Function]]:
    """A function of this database."""
    given: list[Function] = []
    more = {
        "NOONDAY_DATABASE": f"mysql://{USER}@{empty.host}:{empty.port}/{SCHEMA}",
        "NOONDAY_DATABASE_SECRET": APPLICATION,
        "NOONDAY_MASTER_SECRET": MASTER,
        "AWS_ACCESS_KEY_ID": "testing",  # the deployed role may read the deployed secrets only
    }

    def give(name: str) -> Function:
        of = story.deployed.configuration(name)
        given.append(Function(code, of, {**story.machine, **more}, tmp_path))
        return given[-1]

    yield give
    for function in given:
        function.end()


def run(server: Server, sql: str, **options: Any) -> list[tuple[Any, ...]]:
    """As the application's user."""
    with (
        closing(
            pymysql.connect(
                host=server.host, port=server.port, user=USER, password=FIRST, database=SCHEMA,
                **(options or {"ssl_ca": str(server.ca_file)}),
            )
        ) as connection,
        connection.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_from_nothing_to_a_schedule_and_again(
    story: Account, empty: Server, made: Callable[[str], Function]
) -> None:
    migrate = made("migrate")
    with saying(migrate) as told:
        first = migrate.invoke({})
        again = migrate.invoke({"action": "migrate"})
        looked = migrate.invoke({"action": "check"})
    assert first["did"][0] == f"created the database {SCHEMA}"
    assert len(first["migrations"]) == NEWEST
    assert again["did"] == again["migrations"] == []
    assert first["schema"] == again["schema"] == looked["schema"] == NEWEST
    assert complaints(told) == []
    assert not any(word in migrate.log.read_text() for word in (MASTERS, FIRST))

    front = Front(story.deployed.paths, made("api").invoke)
    job = a_job("sqs", {"queue": PREFIX + "orders", "body": "go"})
    assert front.call("POST", "/jobs?schedule=true", job).status == 201
    assert run(empty, "SELECT COUNT(*) FROM scheduler_jobs") == [(1,)]
    for forbidden in FORBIDDEN:
        with pytest.raises(pymysql.err.Error, match="denied"):
            run(empty, forbidden)
    with pytest.raises(pymysql.err.Error, match="denied"):
        run(empty, "SELECT 1", ssl_disabled=True)


def test_an_older_database_is_brought_up_with_what_it_holds(
    empty: Server, made: Callable[[str], Function]
) -> None:
    """As the first ten files left it, and a job in it that nobody has looked at since."""
    migrate = made("migrate")
    migrate.invoke({})
    _made_by_an_older_program(empty, 10)
    empty.execute(KEPT, SCHEMA)
    with pytest.raises(Raised, match="is at version 10, this program needs"):
        migrate.invoke({"action": "check"})
    answer = migrate.invoke({})
    assert [name[:4] for name in answer["migrations"]] == [
        f"{number:04}" for number in range(11, NEWEST + 1)
    ]
    assert answer["schema"] == NEWEST
    assert run(empty, "SELECT name FROM scheduler_jobs") == [("kept",)]


KEPT = """
    INSERT INTO scheduler_jobs (id, owner, name, name_key, state, revision, definition, cursor_ms,
      failures, edit, created_ms, created_by, modified_ms, modified_by)
    VALUES ('0123456789abcdef0123456789abcdef', 'team', 'kept', 'kept', 'NEW', 1, '{}', 0,
      0, 1, 0, 'x', 0, 'x')
"""


def _made_by_an_older_program(server: Server, version: int) -> None:
    server.create(SCHEMA)
    for migration in migrations("mysql")[:version]:
        server.execute(migration.sql, SCHEMA)
    server.execute(
        f"REPLACE INTO scheduler_meta (name, value) VALUES ('schema_version', '{version}')", SCHEMA
    )


@pytest.mark.parametrize("secret", [MASTER, APPLICATION])
def test_a_secret_that_is_refused_fails_the_deployment_in_one_sentence(
    story: Account, made: Callable[[str], Function], secret: str
) -> None:
    migrate = made("migrate")
    denied = refuse(400, "AccessDeniedException")
    if secret == MASTER:
        story.amazon.fail("GetSecretValue", denied)
    else:
        story.amazon.client("secretsmanager").delete_secret(SecretId=secret)
    with saying(migrate) as told, pytest.raises(Raised, match="secret cannot be read"):
        migrate.invoke({})
    assert complaints(told)[0] == "Failed"
    assert not any("trace" in line for line in told)
    with pytest.raises(Raised, match="is one of migrate, check"):
        migrate.invoke({"action": "drop"})
