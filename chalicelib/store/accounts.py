"""A database made ready by its master: it exists, its schema is this program's, and the program has a user.

Each step may be repeated, and nothing is taken from a program that works meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

from chalicelib.model.errors import InvalidInput, Problem, Unavailable
from chalicelib.store.address import FIELD, Mysql, read_address
from chalicelib.store.driver import Link
from chalicelib.store.failures import ConstraintViolated, Repeat
from chalicelib.store.grants import PRIVILEGES, excess, is_complete, place_of
from chalicelib.store.mysql import MysqlDriver
from chalicelib.store.passwords import Passwords
from chalicelib.store.store import SqlStore
from chalicelib.store.tls import Tls


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the database server. The password is no part of what is shown."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """How the application's user authenticates: by a password, or where ``iam`` by tokens that it signs."""

    passwords: str | Passwords = field(repr=False)
    iam: bool = False


@dataclass(frozen=True, slots=True)
class Provided:
    """What was done, in words; ``migrations``: the files that were applied."""

    did: Sequence[str]
    migrations: Sequence[str]


def provide_database(
    url: str, master: Login, credential: Credential, *, tls: Tls | None = None
) -> Provided:
    """The database at the URL, ready for the URL's user.

    Raises:
        InvalidInput: the URL names no server, or the master itself as the application's user.
        Unavailable: the server cannot be reached, or refuses something to its master.
    """
    address = _server(url, master)
    did = []
    with _as_master(replace(address, database=""), master, tls) as link:
        if _made_database(link, address.database):
            did.append(f"created the database {address.database}")
    with closing(SqlStore(MysqlDriver(_of(address, master), master.password, tls))) as store:
        migrations = store.migrate(store.database_now_ms())
    did += [f"applied {name}" for name in migrations]
    with _as_master(_of(address, master), master, tls) as link:
        account = _Account(link, address, credential, tls)
        did += account.provided()
    return Provided(did, migrations)


def _server(url: str, master: Login) -> Mysql:
    address = read_address(url)
    if not isinstance(address, Mysql):
        problem = (
            "is a file, which has no users; python -m chalicelib.store.migrate is all it needs"
        )
        raise InvalidInput([Problem(FIELD, problem, url)])
    if address.user == master.user:
        problem = f"names the master {master.user!r}; the application needs a user of its own"
        raise InvalidInput([Problem(FIELD, problem, url)])
    return address


def _of(address: Mysql, master: Login) -> Mysql:
    return replace(address, user=master.user)


@contextmanager
def _as_master(address: Mysql, master: Login, tls: Tls | None) -> Iterator[Link]:
    driver = MysqlDriver(_of(address, master), master.password, tls)
    with closing(driver):
        try:
            with driver.writing() as link:
                yield link
        except (Repeat, ConstraintViolated) as failure:
            raise Unavailable(f"{driver.describe()} refused its master: {failure}") from failure


def _made_database(link: Link, database: str) -> bool:
    known = link.query(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = %(name)s", {"name": database}
    )
    if known:
        return False
    name = database.replace("`", "``").replace("%", "%%")
    link.change(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4", {})
    return True


class _Account:
    """The application's user, seen by the master."""

    def __init__(self, link: Link, address: Mysql, credential: Credential, tls: Tls | None) -> None:
        self._link = link
        self._address = address
        self._credential = credential
        self._tls = tls
        self._application = MysqlDriver(address, credential.passwords, tls)
        self._place = place_of(address.database)

    def provided(self) -> Sequence[str]:
        """One that is let in keeps its password: nobody is shut out for a moment."""
        did = []
        if not self._is_let_in():
            self._set_credential()
            how = "tokens of IAM" if self._credential.iam else "the password of its secret"
            did.append(f"user {self._address.user} authenticates with {how}")
        if self._credential.iam or self._tls is not None or not self._address.loopback:
            self._run("require_tls")
        did += self._granted()
        if not self._is_let_in():
            raise Unavailable(f"{self._address} does not let its new user in; is the URL its own?")
        return did

    def _is_let_in(self) -> bool:
        with closing(MysqlDriver(self._address, self._credential.passwords, self._tls)) as driver:
            try:
                with driver.reading() as link:
                    link.query("SELECT 1", {})
            except (Unavailable, Repeat):
                return False
        return True

    def _set_credential(self) -> None:
        """The statements hold the password, so whatever a server says of them is not repeated."""
        passwords = self._credential.passwords
        names = ("create_account_of_iam", "change_account_to_iam")
        given = {}
        if not self._credential.iam:
            names = ("create_account", "change_account")
            given["password"] = passwords if isinstance(passwords, str) else passwords.current()
        refused = False
        try:
            for name in names:
                self._run(name, **given)
        except (Unavailable, Repeat, ConstraintViolated):
            refused = True
        if refused:
            remedy = (
                "is it one of RDS, with authentication by IAM?"
                if self._credential.iam
                else "may its master create users, and does the password keep to its rules?"
            )
            raise Unavailable(f"{self._address} does not make the user; {remedy}")

    def _granted(self) -> Sequence[str]:
        """Too much is taken one by one, so that what is needed stays; then what is missing is given."""
        user, did = self._address.user, []
        for one in excess(self._grants(), self._place):
            self._change(f"REVOKE {one} FROM ")
            did.append(f"revoked {one} from {user}")
        if not is_complete(self._grants(), self._place):
            self._change(f"GRANT {', '.join(PRIVILEGES)} ON {self._place} TO ")
            did.append(f"granted {', '.join(PRIVILEGES)} on {self._address.database} to {user}")
        left = excess(self._grants(), self._place)
        if left:
            raise Unavailable(f"{user} may more than it should: {', '.join(map(str, left))}")
        return did

    def _grants(self) -> Sequence[str]:
        text = self._application.statements.text("grants_of", {})
        return [row[0] for row in self._link.query(text, {"user": self._address.user})]

    def _change(self, sql: str) -> None:
        """With the user's name at the end."""
        doubled = sql.replace("%", "%%")
        self._link.change(f"{doubled}%(user)s@'%%'", {"user": self._address.user})

    def _run(self, name: str, **given: str) -> None:
        parameters = {"user": self._address.user, **given}
        self._link.change(self._application.statements.text(name, parameters), parameters)
