"""What prerequisites look at: files, rows and answers, in time and within bounds, whatever is there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic

import pytest

from chalicelib.engine.conditions import Condition, Found
from chalicelib.model.errors import Problem
from chalicelib.model.prerequisite import Prerequisite
from chalicelib.notifications.availability import Availability, Checker
from chalicelib.notifications.local_data import LocalData
from chalicelib.targets import Connection, HttpProbe, SqlProbe, TargetSettings
from tests.databases import SERVERS, Server

SECONDS = 5.0


def data(path: str) -> Condition:
    return Condition(kind="data", what=path, owner="team", words=path)


def sql(query: str, connection: str = "shop", **bindings: object) -> Condition:
    return Condition(
        kind="sql",
        what=query,
        owner="team",
        connection=connection,
        bindings=tuple(sorted(bindings.items())),  # type: ignore[arg-type]
        words=query,
    )


def http(url: str, *statuses: int | str) -> Condition:
    return Condition(kind="http", what=url, owner="team", statuses=statuses or (200,), words=url)


def complaints(checker: Checker, **fields: object) -> list[Problem]:
    return list(checker.problems(Prerequisite.model_validate(fields), (), "team"))


# Files


@pytest.fixture
def files(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "orders/2026").mkdir(parents=True)
    (root / "orders/2026/a.csv").write_text("12345")
    (root / "empty").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("s")
    (root / "link").symlink_to(tmp_path / "secret")
    return root


@pytest.mark.parametrize(
    ("path", "met", "words"),
    [
        ("orders/2026/a.csv", True, "5 bytes"),
        ("orders//./2026/a.csv", True, "5 bytes"),
        ("orders/2026/b.csv", False, "no such file"),
        ("orders/2026", False, "is a folder"),
        ("orders/2026/", True, "a.csv is in it"),
        ("empty/", False, "nothing is in it"),
        ("nowhere/", False, "no such folder"),
        ("orders/2026/a.csv/", False, "is a file"),
        ("orders/*/*.csv", True, "orders/2026/a.csv"),
        ("**/a.csv", True, "orders/2026/a.csv"),
        ("orders/*/*.txt", False, "nothing matches"),
        ("orders/[12]*/", True, "orders/2026"),
        ("link/key", False, "leads out"),
        ("link/*", False, "nothing matches"),
        ("../secret/key", False, "'..'"),
        ("/etc/passwd", False, "absolute"),
        ("orders/\x00", False, "control"),
    ],
)
def test_files_folders_and_globs(files: Path, path: str, met: bool, words: str) -> None:
    found = LocalData(files).check(data(path), SECONDS)
    assert (found.met, words in found.what) == (met, True), found


def test_paths_that_lead_nowhere_are_refused(files: Path) -> None:
    probe = LocalData(files)
    for path in ("/etc/passwd", "../x", "ftp://host/x", ".", "a\tb"):
        [problem] = complaints(probe, data=path)
        assert (problem.field, problem.value) == ("data", path)
    assert complaints(probe, data="orders/${nominal_time:%Y}/") == []


def test_where_no_files_last_nobody_waits_for_one(files: Path) -> None:
    [problem] = complaints(LocalData(files, there=False), data="orders/today.csv")
    assert "wait for s3://BUCKET/KEY" in problem.message


def test_a_folder_without_end_is_given_up_in_time(files: Path) -> None:
    for number in range(300):
        (files / f"empty/{number}").touch()
    with pytest.raises(TimeoutError):
        LocalData(files).check(data("empty/*.x"), -1.0)


# Rows


def test_a_row_is_a_row(settings: TargetSettings) -> None:
    probe = SqlProbe(settings)
    query = "SELECT * FROM orders WHERE country = :country"
    assert probe.check(sql(query, country="de"), SECONDS) == Found(
        met=True, what="it returns a row"
    )
    assert probe.check(sql(query, country="xx"), SECONDS).what == "it returns no row"
    assert "no such table" in probe.check(sql("SELECT * FROM nope"), SECONDS).what
    assert "no connection" in probe.check(sql("SELECT 1", "nope"), SECONDS).what


def test_a_look_changes_nothing(settings: TargetSettings) -> None:
    probe = SqlProbe(settings)
    for query in ("DELETE FROM orders", "INSERT INTO orders VALUES ('x', 1) RETURNING 1"):
        assert not probe.check(sql(query), SECONDS).met
    assert probe.check(sql("SELECT 1 FROM orders GROUP BY 1 HAVING COUNT(*) = 3"), SECONDS).met


def test_a_query_without_end_is_stopped(settings: TargetSettings) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 FROM n WHERE i < 0"
    begun = monotonic()
    with pytest.raises(TimeoutError, match="no answer within"):
        SqlProbe(settings).check(sql(endless), 0.3)
    assert monotonic() - begun < SECONDS


def test_a_row_of_many_megabytes_is_cut_off(settings: TargetSettings) -> None:
    found = SqlProbe(settings).check(sql("SELECT zeroblob(100000000)"), SECONDS)
    assert not found.met


def test_queries_are_judged_as_those_of_targets(settings: TargetSettings) -> None:
    probe = SqlProbe(settings)
    [problem] = complaints(probe, sql="SELECT 1", connection="nope")
    assert (problem.field, problem.value) == ("connection", "nope")
    [problem] = complaints(probe, sql="SELECT :nope", connection="shop")
    assert problem.field == "sql"
    assert complaints(probe, sql="SELECT :nominal_date", connection="shop") == []


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_is_asked_in_time_and_for_one_row(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(kind)
    server.create("noonday_probes")
    connection = Connection("shop", server.url("noonday_probes"))
    probe = SqlProbe(TargetSettings(tmp_path, tmp_path, {"shop": connection}))
    assert probe.check(sql("SELECT 1 WHERE :day = '2026'", day="2026"), SECONDS).met
    assert not probe.check(sql("SELECT 1 FROM DUAL WHERE 1 = 0"), SECONDS).met
    assert not probe.check(sql("CREATE TABLE t (i INT)"), SECONDS).met
    with pytest.raises(TimeoutError):
        probe.check(sql("SELECT SLEEP(60)"), 1.0)


# Answers


@pytest.fixture
def site() -> Iterator[tuple[str, list[Callable[[BaseHTTPRequestHandler], None]]]]:
    """Its URL, and what it does with the next requests."""
    acts: list[Callable[[BaseHTTPRequestHandler], None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            acts.pop(0)(self)

        def log_message(self, *_: object) -> None:
            """Not on the tests' screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with closing(server.socket):
        yield f"http://127.0.0.1:{server.server_port}", acts
        server.shutdown()


def says(status: int, size: int = 0) -> Callable[[BaseHTTPRequestHandler], None]:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        try:
            for _ in range(size // 100_000):
                handler.wfile.write(b"x" * 100_000)
        except OSError:
            pass  # nobody reads it, which is the point

    return act


def test_a_status_is_what_counts(
    settings: TargetSettings, site: tuple[str, list[Callable[[BaseHTTPRequestHandler], None]]]
) -> None:
    url, acts = site
    probe = HttpProbe(settings)
    for status, wanted, met in (
        (200, (), True),
        (404, (), False),
        (204, ("2xx",), True),
        (304, (200, 304), True),
        (302, (), False),
    ):
        acts.append(says(status))
        found = probe.check(http(url, *wanted), SECONDS)
        assert (found.met, f"answered {status}" in found.what) == (met, True)


def test_an_answer_of_ten_megabytes_is_not_read_and_one_that_hangs_is_left(
    settings: TargetSettings, site: tuple[str, list[Callable[[BaseHTTPRequestHandler], None]]]
) -> None:
    url, acts = site
    probe = HttpProbe(settings)
    acts.append(says(200, size=10_000_000))
    assert probe.check(http(url), SECONDS).met
    over = threading.Event()

    def drips(handler: BaseHTTPRequestHandler) -> None:
        while not over.wait(0.05):
            handler.wfile.write(b"H")

    acts.append(drips)
    with pytest.raises(TimeoutError):
        probe.check(http(url), 0.5)
    over.set()


def test_hosts_are_those_that_targets_may_call(settings: TargetSettings) -> None:
    probe = HttpProbe(settings)
    assert not probe.check(http("http://169.254.169.254/latest"), SECONDS).met
    [problem] = complaints(probe, http="file:///etc/passwd")
    assert problem.field == "http"
    found = probe.check(http("http://127.0.0.1:1/"), SECONDS)
    assert found.what.startswith("no answer")


@pytest.mark.parametrize("path", ["a\r\nX: y", "a b", "\x00", "é", "a" * 20_000])
def test_a_url_that_values_made_odd_does_no_harm(
    settings: TargetSettings,
    site: tuple[str, list[Callable[[BaseHTTPRequestHandler], None]]],
    path: str,
) -> None:
    url, acts = site
    acts.append(says(404))
    places = Availability({"http": HttpProbe(settings)})
    wanted = http(f"{url}/{path}")
    [portion] = places.check([wanted])
    assert not portion[wanted].met
    assert len(portion[wanted].what) < 400


# Many at once


class Scripted:
    """Checks as its functions say; by path."""

    def __init__(self, **acts: Callable[[], Found]) -> None:
        self._acts = acts
        self.calls: list[str] = []

    def problems(self, *_: object) -> Iterator[Problem]:
        return iter(())

    def check(self, condition: Condition, seconds: float) -> Found:
        del seconds
        self.calls.append(condition.what)
        return self._acts[condition.what]()


THERE = Found(met=True, what="there")


def test_one_that_raises_or_hangs_delays_nobody_else() -> None:
    over = threading.Event()

    def hangs() -> Found:
        over.wait(SECONDS)
        return THERE

    def raises() -> Found:
        raise RuntimeError("x" * 10_000)

    def late() -> Found:
        raise TimeoutError("it is slow")

    checker = Scripted(good=lambda: THERE, hangs=hangs, raises=raises, late=late)
    places = Availability({"file": checker}, soon_s=0.3, end_s=0.6)
    wanted = [data(name) for name in ("hangs", "raises", "late", "good")]
    first, *later = places.check(wanted)
    assert first[data("good")] == THERE
    assert len(first[data("raises")].what) < 400
    assert (first[data("late")].late, first[data("late")].what) == (True, "it is slow")
    assert data("hangs") not in first
    [silent] = [found for portion in later for found in portion.values()]
    assert silent.late
    [again] = places.check([data("hangs")])
    assert again[data("hangs")].late
    assert checker.calls.count("hangs") == 1, "what hangs is not looked at a second time"
    over.set()


def test_what_the_system_refuses_is_told_without_its_place(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    places = Availability({"file": LocalData(tmp_path)})
    [portion] = places.check([data("loop/x"), data("x" * 300)])
    for found in portion.values():
        assert not found.met
        assert str(tmp_path) not in found.what


def test_many_that_hang_leave_the_others_unlooked_and_take_no_more_time() -> None:
    over = threading.Event()

    def hangs() -> Found:
        over.wait(SECONDS)
        return THERE

    checker = Scripted(**{f"h{n}": hangs for n in range(40)})
    places = Availability({"file": checker}, soon_s=0.1, end_s=0.3)
    begun = monotonic()
    found = {key for portion in places.check([data(f"h{n}") for n in range(40)]) for key in portion}
    assert monotonic() - begun < SECONDS
    assert len(found) == 32
    over.set()


def test_a_thousand_looks_are_quick(files: Path) -> None:
    places = Availability({"file": LocalData(files)})
    wanted = [data(f"orders/{n}") for n in range(1000)]
    before = threading.active_count()
    [all_at_once] = places.check(wanted)
    assert len(all_at_once) == 1000
    assert threading.active_count() < before + 40
