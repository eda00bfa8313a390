"""TLS is verified or absent, and no secret is ever shown."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chalicelib.model.errors import InvalidInput, Unavailable
from chalicelib.store import SqlStore, Tls, open_store
from chalicelib.store.address import Mysql, Sqlite, read_address
from chalicelib.store.mysql import MysqlDriver
from chalicelib.store.tls import context_of
from tests.databases import Server, make_authority
from tests.store.builders import NOON
from tests.store.wire import wire_to

SECRET = "correct-horse-battery"


def cipher(store: SqlStore) -> str:
    """What encrypts the store's connections; nothing for none."""
    with store._driver.reading() as link:
        [[_, found]] = link.query("SHOW STATUS LIKE 'Ssl_cipher'", {})
    return str(found)


def test_the_right_authority_is_accepted(mariadb: Server) -> None:
    with closing(open_store(mariadb.empty(0), tls=Tls(mariadb.ca_file))) as store:
        assert store.database_now_ms() > NOON
        assert cipher(store)


def test_on_this_machine_it_goes_without(mariadb: Server) -> None:
    with closing(open_store(mariadb.empty(0))) as store:
        assert cipher(store) == ""


def test_another_authority_is_refused(mariadb: Server, tmp_path: Path) -> None:
    make_authority(tmp_path / "other.pem", tmp_path / "other.key")
    for tls in (Tls(tmp_path / "other.pem"), Tls()):
        store = open_store(mariadb.url("mysql"), tls=tls)
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            store.read(lambda reader: reader.owners())


def test_a_certificate_for_another_name_is_refused(mariadb: Server) -> None:
    url = mariadb.url("mysql").replace("127.0.0.1", "localhost")
    store = open_store(url, tls=Tls(mariadb.ca_file))
    with pytest.raises(Unavailable, match="certificate is not trusted"):
        store.database_now_ms()


def test_a_server_that_hides_its_tls_is_refused(mariadb: Server) -> None:
    """Somebody on the line may take the flag out of the greeting, and read what follows in the clear."""

    def without_tls(packet: bytes) -> bytes:
        flags = packet.index(b"\0", 5) + 1 + 4 + 8 + 1
        return packet[: flags + 1] + bytes([packet[flags + 1] & ~0x08]) + packet[flags + 2 :]

    with wire_to(mariadb.host, mariadb.port) as wire:
        wire.on_greeting = without_tls
        store = open_store(mariadb.url("mysql", port=wire.port), tls=Tls(mariadb.ca_file))
        with pytest.raises(Unavailable, match="SSL is required"):
            store.database_now_ms()
        assert wire.statements == []


def test_authorities_that_cannot_be_read(mariadb: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        store = open_store(mariadb.url("mysql"), tls=Tls(file))
        with pytest.raises(Unavailable, match=r"authorities in .* cannot be read"):
            store.database_now_ms()


def dialled(url: str, tls: Tls | None = None) -> dict[str, Any]:
    """How the driver would connect."""
    seen: dict[str, Any] = {}

    def connect(**options: Any) -> Any:
        seen.update(options)
        raise OSError("enough")

    address = read_address(url)
    assert isinstance(address, Mysql)
    with pytest.raises(Unavailable):
        SqlStore(MysqlDriver(address, SECRET, tls, connect=connect)).database_now_ms()
    return seen


@pytest.mark.parametrize("host", ["db.example.org", "10.0.0.7", "192.168.1.1", "[2001:db8::1]"])
def test_another_machine_is_always_verified(host: str) -> None:
    options = dialled(f"mysql://noonday@{host}/noonday")
    assert options["ssl_disabled"] is False
    assert options["ssl"].verify_mode is ssl.CERT_REQUIRED
    assert options["ssl"].check_hostname is True
    assert options["ssl"] is context_of(Tls())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "x?unix_socket=/run/my.sock"])
def test_this_machine_is_never_half_encrypted(host: str) -> None:
    name, _, query = host.partition("?")
    options = dialled(f"mysql://noonday@{name}/noonday?{query}")
    assert options["ssl_disabled"] is True
    assert options["ssl"] is None


@pytest.fixture
def locked(mariadb: Server) -> Iterator[str]:
    """The URL of a user who has a password."""
    url = mariadb.empty(0)
    mariadb.execute(f"CREATE USER noonday_locked IDENTIFIED BY '{SECRET}'")
    mariadb.execute("GRANT ALL ON *.* TO noonday_locked")
    yield url.replace("root@", "noonday_locked@")
    mariadb.execute("DROP USER noonday_locked")


def test_the_password_opens_and_is_never_shown(locked: str, mariadb: Server) -> None:
    with closing(open_store(locked, password=SECRET, tls=Tls(mariadb.ca_file))) as store:
        assert store.read(lambda reader: reader.owners()) == []
        shown = f"{store} {store!r} {store.describe()} {store._driver!r} {store._driver}"
    assert SECRET not in shown
    assert "noonday_locked@127.0.0.1" in shown


def test_a_wrong_password_is_not_repeated(locked: str) -> None:
    for password in (f"{SECRET}-wrong", None):
        store = open_store(locked, password=password)
        with pytest.raises(
            Unavailable, match="check the user and NOONDAY_DATABASE_PASSWORD"
        ) as caught:
            store.read(lambda reader: reader.owners())
        assert SECRET not in str(caught.value)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    for url in (f"mysql://noonday:{SECRET}@db/noonday", f"mysql://noonday:{SECRET}@db:x/noonday"):
        with pytest.raises(InvalidInput) as caught:
            open_store(url)
        assert SECRET not in str(caught.value)
    with pytest.raises(InvalidInput, match="set NOONDAY_DATABASE_PASSWORD instead"):
        open_store(f"mysql://noonday:{SECRET}@db/noonday")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sqlite://", Sqlite(None)),
        ("sqlite:///a/b.db", Sqlite(Path("a/b.db"))),
        ("sqlite:////a/b%20c.db", Sqlite(Path("/a/b c.db"))),
        ("mysql://u@h/d", Mysql("u", "h", 3306, "d")),
        ("mysql://u@[::1]:33/d", Mysql("u", "::1", 33, "d")),
        ("mysql://u%40x@h/d?unix_socket=/s", Mysql("u@x", "h", 3306, "d", "/s")),
    ],
)
def test_urls_that_are_read(url: str, address: Sqlite | Mysql) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url", ["", "postgres://u@h/d", "mysql://h/d", "mysql://u@h", "mysql://u@h/a/b", "mysql://u@h:x/d",
            "sqlite:file.db", "sqlite://host/file.db", "mysql:///d", "/tmp/x.db", "mysql://u@[::1/d"]
)  # fmt: skip
def test_urls_that_are_refused_say_what_would_be_right(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"database: .*(mysql://user@host|sqlite://)"):
        open_store(url)


def test_one_context_a_process(empty_url: Callable[[str], str]) -> None:
    assert context_of(Tls()) is context_of(Tls())
    assert str(read_address("mysql://u@[::1]/d")) == "mysql://u@[::1]:3306/d"
    assert open_store(empty_url("sqlite-file")).describe().startswith("sqlite:////")
