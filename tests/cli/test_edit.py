"""Editing never overwrites somebody else's change and never loses what was typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.documents import JOB_ID, a_job, a_problem
from tests.cli.stand_in import Answer, StandIn


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program as editor: the script that a test writes into this file gets the text's file as $1."""
    script = tmp_path / "editor.sh"
    monkeypatch.setenv("VISUAL", f"sh {script}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return script


@pytest.fixture
def job(server: StandIn) -> StandIn:
    server.on("GET /jobs/x", a_job(), headers={"ETag": '"7"'})
    return server


def kept(directory: Path) -> list[str]:
    return [path.read_text() for path in directory.glob("noonday-*.yaml")]


def test_a_change_is_put_only_onto_what_was_seen(run: Run, job: StandIn, editor: Path) -> None:
    editor.write_text('sed -i "s/0 0 6/0 0 7/" "$1"')
    job.on(f"PUT /jobs/{JOB_ID}", a_job(revision=4))
    ran = run("job", "edit", "x", "--reason", "later")
    assert ran.out == "updated daily-revenue: revision 4, SCHEDULED\n"
    put = job.asked[-1]
    assert put.headers["if-match"] == '"7"'
    assert put.query == [("reason", "later")]
    expected = a_job()["definition"]
    expected["schedule"]["cron"] = "0 0 7 ? * MON-FRI"
    assert put.document == expected


def test_leaving_it_as_it_is_changes_nothing(run: Run, job: StandIn, editor: Path) -> None:
    editor.write_text("true")
    ran = run("job", "edit", "x")
    assert (ran.code, ran.err, len(job.asked)) == (0, "nothing changed\n", 1)


def test_what_is_refused_comes_back_with_the_reasons(run: Run, job: StandIn, editor: Path) -> None:
    editor.write_text(
        f"""if grep -q "^#! " "$1"; then cp "$1" {editor}.seen; sed -i "s/0 0 77/0 0 7/" "$1";
        else sed -i "s/0 0 6/0 0 77/" "$1"; fi"""
    )
    problem = {"field": "schedule.cron", "message": "77 is no hour", "value": "77"}
    job.then(Answer(200, a_job(), headers={"ETag": '"7"'}))
    job.then(Answer(400, a_problem(400, "invalid_input", "x", problem)))
    job.then(Answer(200, a_job(revision=4)))
    assert run("job", "edit", "x").code == 0
    assert "#! schedule.cron: 77 is no hour" in Path(f"{editor}.seen").read_text()
    assert job.asked[-1].document["schedule"]["cron"] == "0 0 7 ? * MON-FRI"


def test_a_change_of_somebody_else_wins_and_the_text_is_kept(
    run: Run, job: StandIn, editor: Path, tmp_path: Path
) -> None:
    editor.write_text('sed -i "s/0 0 6/0 0 7/" "$1"')
    stale = a_problem(412, "stale_edit", "the job is at edit 8")
    job.on(f"PUT /jobs/{JOB_ID}", stale, status=412)
    ran = run("job", "edit", "x")
    assert ran.code == 4
    assert "your text is kept in" in ran.err
    assert "0 0 7" in kept(tmp_path)[0]


def test_giving_up_after_a_refusal_keeps_the_text(
    run: Run, job: StandIn, editor: Path, tmp_path: Path
) -> None:
    editor.write_text('grep -q "^#! " "$1" || echo "a: [" > "$1"')
    ran = run("job", "edit", "x")
    assert ran.code == 1
    assert "given up" in ran.err
    assert kept(tmp_path) == ["a: [\n"]
    assert len(job.asked) == 1


def test_an_editor_that_is_not_there_is_named(
    run: Run, job: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor-anywhere")
    ran = run("job", "edit", "x")
    assert ran.code == 1
    assert "no-such-editor-anywhere" in ran.err
    assert len(job.asked) == 1


def test_update_puts_the_file_onto_the_job_it_names(
    run: Run, server: StandIn, tmp_path: Path
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("name: x\n")
    server.on("PUT /jobs/x", a_job(name="x"))
    server.on("PUT /jobs/old", a_job(name="x"))
    assert run("job", "update", str(file)).code == 0
    assert "if-match" not in server.asked[0].headers
    assert run("job", "update", str(file), "--job", "old", "--if-edit", "7").code == 0
    assert server.asked[1].headers["if-match"] == '"7"'
    file.write_text("name: x\n---\nname: y\n")
    assert run("job", "update", str(file), "--job", "old").code == 2
    file.write_text("description: nameless\n")
    assert "name is missing" in run("job", "update", str(file)).err


def test_a_change_is_tried_on_what_is_there(run: Run, server: StandIn, tmp_path: Path) -> None:
    before = a_job()
    after = before["definition"] | {"description": "new"}
    planned = {**before, "definition": after, "changes": [{"field": "description"}]}
    planned["warnings"] = ["the job is NEW"]
    server.on("GET /jobs/daily-revenue", before)
    server.on(f"PUT /jobs/{JOB_ID}", planned)
    server.on(f"PATCH /jobs/{JOB_ID}", {**planned, "changes": []})
    file = tmp_path / "x.yaml"
    file.write_text("name: daily-revenue\ndescription: new\n")
    ran = run("job", "update", str(file), "--dry-run")
    assert "+description: new" in ran.out.splitlines()
    assert ran.out.splitlines()[-1] == "warning: the job is NEW"
    put = server.asked[-1]
    assert (dict(put.query), put.headers["if-match"]) == ({"dry_run": "true"}, '"7"')
    assert put.document == {"name": "daily-revenue", "description": "new"}
    ran = run("job", "patch", "daily-revenue", "description=new", "--dry-run", "--if-edit", "6")
    assert ran.out == "daily-revenue is so already; nothing would change\n"
    assert server.asked[-1].headers["if-match"] == '"6"'
    several = run("job", "update", str(file), str(file), "--dry-run", "-o", "json").document
    assert [each["changes"] for each in several["items"]] == [[{"field": "description"}]] * 2
