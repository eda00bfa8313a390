"""Results and logs stay where they belong, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chalicelib.model.errors import NotFound
from chalicelib.targets.files import Folders, OutsideFiles, drafting


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "files", tmp_path / "runs")
    (tmp_path / "files").mkdir()
    (tmp_path / "runs" / "t-1").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    return made


@pytest.mark.parametrize(
    "path",
    ["", ".", "./", "/x", "//x", "../secret", "a/../../secret", "a/..", "x/", "s3://b/x", "file:///x",
     "runs/x", "a\0b", "a\nb"],
)  # fmt: skip
def test_places_that_are_none(folders: Folders, path: str) -> None:
    with pytest.raises(OutsideFiles):
        folders.result(path)


@pytest.mark.parametrize("path", ["x", "a/b/c.csv", "..x", "a..b/c", ".hidden", "ü/🍕.csv"])
def test_places(folders: Folders, path: str) -> None:
    assert folders.result(path) == folders.files / path


def test_a_link_out_of_the_root_is_no_place(folders: Folders, tmp_path: Path) -> None:
    (folders.files / "out").symlink_to(tmp_path)
    (folders.files / "in").symlink_to(folders.files)
    assert folders.result("in/x")
    for path in ("out/x", "in/out/x"):
        with pytest.raises(OutsideFiles, match="symbolic link"):
            folders.result(path)
    with pytest.raises(NotFound):
        folders.read("out/secret")


def test_a_link_at_the_place_of_a_result_is_replaced_and_not_followed(
    folders: Folders, tmp_path: Path
) -> None:
    target = folders.files / "other"
    target.write_text("other")
    (folders.files / "x").symlink_to(target)
    with drafting(folders, "x", "t-1") as draft:
        draft.file.write(b"mine")
        draft.finish()
        draft.publish()
    assert target.read_text() == "other"
    assert (folders.files / "x").read_text() == "mine"
    assert not (folders.files / "x").is_symlink()
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_draft_is_seen_only_when_it_is_published(folders: Folders) -> None:
    with drafting(folders, "new/x", "t-1") as draft:
        draft.file.write(b"half")
        assert not (folders.files / "new/x").exists()
    assert list((folders.files / "new").iterdir()) == []


def test_two_runs_of_one_result_do_not_disturb_each_other(folders: Folders) -> None:
    with drafting(folders, "x", "t-1") as one, drafting(folders, "x", "t-2") as two:
        one.file.write(b"one")
        two.file.write(b"two")
        one.finish()
        one.publish()
        two.finish()
        two.publish()
    assert folders.read("x") == b"two"


def test_a_folder_is_no_result(folders: Folders) -> None:
    (folders.files / "a").mkdir()
    with pytest.raises(OutsideFiles, match="folder"), drafting(folders, "a", "t-1"):
        pass


def test_reading_in_pieces(folders: Folders) -> None:
    (folders.files / "x").write_bytes(b"0123456789")
    assert folders.read("x", offset=3, limit=4) == b"3456"
    assert folders.read("x", offset=100) == b""


@pytest.mark.parametrize(
    "path",
    ["none", "runs/none/run.log", "runs/../secret", "../secret", "runs/t-1", "runs/", "pipe"],
)
def test_what_cannot_be_read_is_not_found(folders: Folders, path: str) -> None:
    os.mkfifo(folders.files / "pipe")
    with pytest.raises(NotFound):
        folders.read(path)


@pytest.mark.parametrize("token", ["", "../x", "a/b", ".", "x" * 101])
def test_a_token_that_is_none_names_no_folder(folders: Folders, token: str) -> None:
    with pytest.raises(OutsideFiles):
        folders.run(token)
