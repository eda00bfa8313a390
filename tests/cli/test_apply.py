"""Files say what there should be: made so once, left alone afterwards, and nothing done by halves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.documents import Loaded
from cli.errors import Unreadable
from cli.job_files import Wanted
from cli.job_order import in_order_of_needs
from cli.main import main
from cli.yaml_lines import line_of
from tests.cli.conftest import Ran
from tests.cli.conftest import Run as AgainstStandIn
from tests.cli.documents import a_job, a_page, a_problem
from tests.cli.stand_in import Answer, Asked, StandIn
from tests.local.server import Server, serving

Noonday = Callable[..., Ran]
TOKEN = {"NOONDAY_TOKEN": "0123456789abcdef0123456789abcdef"}
JOB = """\
name: {name}
description: {description}
schedule: {{cron: "0 0 6 * * ?", start: 2026-01-01T00:00:00Z}}
target: {{kind: process, command: [echo, hello]}}
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), environ=TOKEN) as running:
        yield running


@pytest.fixture
def noonday(
    real: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Noonday:
    monkeypatch.setenv("NOONDAY_URL", real.url)
    monkeypatch.setenv("NOONDAY_TOKEN", real.token)

    def run(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "jobs"
    (found / "deep").mkdir(parents=True)
    return found


def write(folder: Path, file: str, *names: str, description: str = "first") -> Path:
    text = "---\n".join(JOB.format(name=name, description=description) for name in names)
    (folder / file).write_text(text)
    return folder / file


def ok(ran: Ran) -> Ran:
    assert ran.code == 0, f"{ran.code}: {ran.out}{ran.err}"
    return ran


def last(ran: Ran) -> str:
    return ok(ran).out.splitlines()[-1]


def test_a_folder_is_made_so_and_then_left_alone(noonday: Noonday, folder: Path) -> None:
    write(folder, "a.yaml", "make-a", "make-b")
    write(folder, "deep/c.yml", "make-c")
    document = {**json.loads(json.dumps({"name": "make-d"})), "schedule": {"every": "P1D"}}
    document["target"] = {"kind": "process", "command": ["true"]}
    (folder / "d.json").write_text(json.dumps(document))
    (folder / "notes.txt").write_text("no definition")
    dry = noonday("job", "apply", "-f", str(folder), "--dry-run", "--diff", "--exit-code")
    assert dry.code == 6
    assert "+name: make-a" in dry.out
    assert dry.out.endswith("4 created, 0 changed, 0 unchanged (dry run: nothing was changed)\n")
    assert noonday("job", "show", "make-a").code == 3
    assert last(noonday("job", "apply", "-f", str(folder))) == "4 created, 0 changed, 0 unchanged"
    assert ok(noonday("job", "show", "make-c", "-o", "json")).document["state"] == "SCHEDULED"
    again = ok(noonday("job", "apply", "-f", str(folder)))
    assert again.out == "0 created, 0 changed, 4 unchanged\n"
    assert noonday("job", "apply", "-f", str(folder), "--dry-run", "--exit-code").code == 0
    write(folder, "deep/c.yml", "make-c", description="second")
    changed = ok(noonday("job", "apply", "-f", str(folder), "--diff", "--reason", "why not"))
    assert "make-c changed: description" in changed.out
    assert "-description: first\n+description: second\n" in changed.out
    assert last(changed) == "0 created, 1 changed, 3 unchanged"
    assert "why not" in ok(noonday("job", "revisions", "make-c")).out


def test_a_job_keeps_its_state_and_what_the_file_does_not_change(
    noonday: Noonday,
) -> None:
    text = JOB.format(name="held", description="x")
    ok(noonday("job", "apply", "-f", "-", "--no-schedule", stdin=text))
    assert ok(noonday("job", "show", "held", "-o", "json")).document["state"] == "NEW"
    ok(noonday("job", "schedule", "held"))
    ok(noonday("job", "suspend", "held", "--reason", "stay"))
    changed = ok(noonday("job", "apply", "-f", "-", "-o", "json", stdin=text.replace(": x", ": y")))
    [item] = changed.document["items"]
    assert (item["action"], item["changed"], item["revision"]) == ("change", ["description"], 2)
    assert "SUSPENDED" in item["warnings"][0]
    assert ok(noonday("job", "show", "held", "-o", "json")).document["state"] == "SUSPENDED"


def test_nothing_is_changed_when_one_file_is_bad(noonday: Noonday, folder: Path) -> None:
    write(folder, "a.yaml", "good-a")
    bad = write(folder, "b.yaml", "good-b", "bad-c")
    bad.write_text(bad.read_text().replace("echo, hello", "echo, 7", 1))
    (folder / "c.json").write_text('{\n "name": "bad-d",\n "schedule": {\n  "every": "soon"}}')
    refused = noonday("job", "apply", "-f", str(folder))
    assert refused.code == 1
    assert "nothing was changed" in refused.err
    assert f"{bad}, line 4: target.command" in refused.err
    assert f"{folder}/c.json, line 1: target" in refused.err
    assert noonday("job", "show", "good-a").code == 3
    bad.write_text("name: [")
    assert "b.yaml, line 2, column 1" in noonday("job", "apply", "-f", str(folder)).err


def test_a_name_is_defined_once(noonday: Noonday, folder: Path) -> None:
    one = write(folder, "a.yaml", "twice")
    two = write(folder, "b.yaml", "other", "twice")
    refused = noonday("job", "apply", "-f", str(folder))
    assert refused.code == 1
    assert f"{two}, line 6: name: twice is defined in {one}, line 1 already" in refused.err
    (folder / "b.yaml").write_text("description: nameless\n")
    assert "name: is missing" in noonday("job", "apply", "-f", str(folder)).err


def test_only_jobs_of_the_set_are_pruned(noonday: Noonday, folder: Path, tmp_path: Path) -> None:
    write(folder, "a.yaml", "kept-a", "pruned-b")
    other = tmp_path / "other"
    other.mkdir()
    write(other, "o.yaml", "of-another-set")
    by_hand = JOB.format(name="by-hand", description="x")
    ok(noonday("job", "submit", "-", stdin=by_hand))
    ok(noonday("job", "apply", "-f", str(other), "--set", "two"))
    ok(noonday("job", "apply", "-f", str(folder), "--set", "one"))
    write(folder, "a.yaml", "kept-a")
    assert noonday("job", "apply", "-f", str(folder), "--prune").code == 2
    prune = ("job", "apply", "-f", str(folder), "--set", "one", "--prune")
    dry = ok(noonday(*prune, "--dry-run", "--diff"))
    assert "pruned-b would be pruned" in dry.out
    assert "-name: pruned-b" in dry.out
    assert noonday(*prune).code == 2  # nobody is there to confirm
    assert noonday("job", "show", "pruned-b").code == 0
    assert last(noonday(*prune, "--yes")) == "0 created, 0 changed, 1 unchanged, 1 pruned"
    assert noonday("job", "show", "pruned-b").code == 3
    for name in ("kept-a", "of-another-set", "by-hand"):
        assert noonday("job", "show", name).code == 0
    # Without --set the mark stays; into another set a job goes only when that is said.
    assert last(noonday("job", "apply", "-f", str(folder))).endswith("1 unchanged")
    clash = noonday("job", "apply", "-f", str(folder), "--set", "two")
    assert (clash.code, "--take-over" in clash.err) == (4, True)
    ok(noonday("job", "apply", "-f", str(folder), "--set", "two", "--take-over"))
    tags = ok(noonday("job", "show", "kept-a", "-o", "json")).document["definition"]["tags"]
    assert tags == {"noonday.apply-set": "two"}
    empty = tmp_path / "empty"
    empty.mkdir()
    assert noonday("job", "apply", "-f", str(empty), "--set", "two", "--prune", "--yes").code == 1


def test_what_others_wait_for_comes_first(noonday: Noonday, folder: Path) -> None:
    text = JOB.format(name="a-down", description="x") + "prerequisites: [{job: z-up}]\n"
    (folder / "a.yaml").write_text(text)
    write(folder, "z.yaml", "z-up")
    applied = ok(noonday("job", "apply", "-f", str(folder)))
    assert applied.out.splitlines()[:2] == ["z-up created", "a-down created"]
    assert "has no job" not in applied.err


def test_it_goes_on_where_it_was_stopped(
    noonday: Noonday, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "a.yaml", "stop-a", "stop-b", "stop-c")
    from cli.client import Client  # noqa: PLC0415

    post = Client.post
    sent: list[str] = []

    def stopping(self: Client, path: str, body: Any = None, query: Any = None, **more: Any) -> Any:
        if path == "/jobs" and not (query or {}).get("dry_run"):
            if sent:
                raise KeyboardInterrupt
            sent.append(path)
        return post(self, path, body, query, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Client, "post", stopping)
        stopped = noonday("job", "apply", "-f", str(folder))
    assert stopped.code == 130
    assert "stopped after 1 of 3 changes" in stopped.err
    assert last(noonday("job", "apply", "-f", str(folder))) == "2 created, 0 changed, 1 unchanged"


def test_a_change_of_somebody_else_is_not_overwritten(
    run: AgainstStandIn, server: StandIn, tmp_path: Path
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("name: daily-revenue\n")
    there = a_job(edit=7)
    server.on("GET /whoami", {"name": "a", "admin": False, "roles": {}, "owner": "demo"})
    server.on("GET /jobs", a_page(there))
    planned = {
        "changes": [{"field": "tags.a", "before": None, "after": "b"}],
        "definition": {},
        "warnings": [],
    }

    def put(asked: Asked) -> Answer:
        assert asked.headers["if-match"] == '"7"'
        if ("dry_run", "true") in asked.query:
            return Answer(200, planned)
        return Answer(412, a_problem(412, "stale_edit", "the job has moved on"))

    server.routes["PUT", f"/jobs/{there['id']}"] = put
    ran = run("job", "apply", "-f", str(file))
    assert ran.code == 4
    assert "daily-revenue: the job has moved on" in ran.err
    assert ran.out == "0 created, 0 changed, 0 unchanged\n"


def wanted(name: str, *needs: str, **more: str) -> Wanted:
    document = {"name": name, "prerequisites": [{"job": need, **more} for need in needs]}
    return Wanted(Loaded(name, document), name, "", 0)


def test_the_order_follows_needs_then_names() -> None:
    listed = [wanted("a", "c"), wanted("b"), wanted("c", "d", "elsewhere"), wanted("d")]
    assert [one.name for one in in_order_of_needs(listed)] == ["d", "c", "a", "b"]
    circle = [wanted("a", "b"), wanted("b", "a", at="${previous_time}")]
    assert {one.name for one in in_order_of_needs(circle)} == {"a", "b"}
    with pytest.raises(Unreadable, match="a -> b -> a"):
        in_order_of_needs([wanted("a", "b"), wanted("b", "a")])
    chain = [wanted(f"n{number:04}", f"n{number + 1:04}") for number in range(3000)]
    assert in_order_of_needs([*chain, wanted("n3000")])[0].name == "n3000"


def needing(*needs: str, at: str | None = None) -> dict[str, Any]:
    return {"prerequisites": [{"job": need} | ({"at": at} if at else {}) for need in needs]}


def test_the_order_looks_through_jobs_that_are_there_already() -> None:
    """c waited for a through x; now a waits for c through x, and c, which waits no more, comes first."""
    listed = [wanted("a", "x"), wanted("c")]
    assert [one.name for one in in_order_of_needs(listed, {"x": needing("c")})] == ["c", "a"]
    with pytest.raises(Unreadable, match="a -> x -> a"):
        in_order_of_needs([wanted("a", "x")], {"x": needing("a")})
    others = {"x": needing("y"), "y": needing("x")}  # of others, and not ours to mend
    assert [one.name for one in in_order_of_needs([wanted("a", "x")], others)] == ["a"]
    same = [wanted("a", "b", at="${nominal_time}"), wanted("b", "a")]
    with pytest.raises(Unreadable, match="would for ever"):
        in_order_of_needs(same)


def test_where_times_differ_who_waits_for_the_same_time_comes_later() -> None:
    listed = [wanted("a", "b", at="${previous_time}"), wanted("b", "a")]
    assert [one.name for one in in_order_of_needs(listed)] == ["a", "b"]


def chained(*names: str) -> str:
    """Each waits for the one after it."""
    texts = []
    for name, need in zip(names, [*names[1:], None], strict=True):
        waits = f"prerequisites: [{{job: {need}}}]\n" if need else ""
        texts.append(JOB.format(name=name, description="x") + waits)
    return "---\n".join(texts)


def needs_of(noonday: Noonday, name: str) -> list[str]:
    document = ok(noonday("job", "show", name, "-o", "json")).document
    return [each["job"] for each in document["definition"].get("prerequisites") or []]


def test_who_waits_for_whom_is_turned_around_in_one_go(noonday: Noonday) -> None:
    """One after the other each change alone would close a circle, and be refused."""
    ok(noonday("job", "apply", "-f", "-", stdin=chained("turn-a", "turn-b", "turn-c")))
    around = chained("turn-c", "turn-b", "turn-a")
    dry = ok(noonday("job", "apply", "-f", "-", "--dry-run", "--diff", stdin=around))
    assert "turn-c would be changed: prerequisites" in dry.out
    assert last(noonday("job", "apply", "-f", "-", stdin=around)).startswith("0 created, 3 changed")
    assert [needs_of(noonday, f"turn-{x}") for x in "abc"] == [[], ["turn-a"], ["turn-b"]]
    assert last(noonday("job", "apply", "-f", "-", stdin=around)).startswith(
        "0 created, 0 changed, 3"
    )


def test_a_circle_through_a_job_that_the_files_do_not_hold_is_refused(noonday: Noonday) -> None:
    ok(noonday("job", "apply", "-f", "-", stdin=chained("ring-c", "ring-b")))
    text = JOB.format(name="ring-a", description="x") + "prerequisites: [{job: ring-c}]\n---\n"
    text += JOB.format(name="ring-b", description="x") + "prerequisites: [{job: ring-a}]\n"
    refused = noonday("job", "apply", "-f", "-", stdin=text)
    assert refused.code == 1
    assert "ring-a -> ring-c -> ring-b -> ring-a" in refused.err
    assert needs_of(noonday, "ring-b") == [], "nothing was changed"


def test_a_change_that_somebody_makes_while_it_is_turned_around_is_said(
    noonday: Noonday, real: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the change the job that shall wait no more is changed by somebody else."""
    from cli.commands.job import steps  # noqa: PLC0415 - only here is it disturbed

    ok(noonday("job", "apply", "-f", "-", stdin=chained("race-a", "race-b")))
    planned = steps.Plan.steps

    def disturbed(plan: steps.Plan, listed: list[Wanted]) -> list[steps.Step]:
        found = planned(plan, listed)
        body = {"description": "somebody's"}
        assert real.call("PATCH", "/jobs/race-a", body).status == 200
        return found

    monkeypatch.setattr(steps.Plan, "steps", disturbed)
    lost = noonday("job", "apply", "-f", "-", stdin=chained("race-b", "race-a"))
    assert lost.code in {1, 4}
    assert "race-a: " in lost.err
    assert "race-b: " in lost.err
    assert "closes a circle (race-b -> race-a -> race-b)" in lost.err
    monkeypatch.undo()
    monkeypatch.setenv("NOONDAY_URL", real.url)
    monkeypatch.setenv("NOONDAY_TOKEN", real.token)
    ok(noonday("job", "apply", "-f", "-", stdin=chained("race-b", "race-a")))
    assert [needs_of(noonday, f"race-{x}") for x in "ab"] == [[], ["race-a"]]


@pytest.mark.parametrize(
    ("field", "number", "line"),
    [
        ("name", 0, 1),
        ("tags.a.b", 0, 3),
        ("prerequisites.1.job", 0, 6),
        ("schedule", 0, 1),
        ("prerequisites.0.sql.x", 0, 5),
        ("name", 1, 9),
        ("", 0, None),
        ("name", 2, None),
    ],
)
def test_a_field_is_found_on_its_line(field: str, number: int, line: int | None) -> None:
    text = (
        "name: x\ntags:\n  a.b: c\nprerequisites:\n  - sql: y\n  - job: z\n---\n# second\nname: y\n"
    )
    assert line_of(text, number, field) == line
