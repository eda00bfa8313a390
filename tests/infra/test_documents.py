"""The stages that the documents show: accepted, and made into templates without complaint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from infra.functions import declared
from infra.quotas import ADDRESSES, CONCURRENCY, UNRESERVED, VPCS
from infra.stage import Stage, read_stage
from tests.house.documents import ROOT, Block, all_blocks
from tests.infra.building import assembled
from tests.infra.test_template import complaints

BLOCKS = all_blocks("yml")
NAME = re.compile(r"# infra/stages/([a-z0-9]+)\.yaml\n")


def test_there_are_some() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_stage_is_accepted_and_becomes_a_template(block: Block, tmp_path: Path) -> None:
    named = NAME.match(block.text)
    assert named, "its first line is its file"
    (tmp_path / f"{named[1]}.yaml").write_text(block.text, encoding="utf-8")
    stage = read_stage(named[1], tmp_path)
    assert complaints(assembled(tmp_path / "made", stage)) == []


def test_every_field_of_a_stage_is_in_the_table() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    fields = set(Stage.model_fields) - {"name", "database"}
    database = {f"database.{one}" for one in Stage.model_fields["database"].annotation.model_fields}  # type: ignore[union-attr]
    assert rows == fields | database


def test_the_file_that_is_there_shows_only_what_there_is() -> None:
    """Its comments too: whoever takes one away gets a stage."""
    text = (ROOT / "infra" / "stages" / "dev.yaml").read_text("utf-8")
    assert Stage(name="dev", **yaml.safe_load(text)) == read_stage("dev")
    shown = re.sub(r"(?m)^# (?=[a-z_]+: )", "", text)
    assert Stage(name="dev", **yaml.safe_load(shown)).region == "eu-central-1"


def test_the_limits_are_those_that_are_looked_at() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    reserved = sum(one.size.concurrency for one in declared() if one.limits_by_reserve)
    row = (
        f"| concurrent functions (`{CONCURRENCY}`) | {reserved + UNRESERVED}: the stage reserves "
        f"{reserved}, and AWS wants {UNRESERVED} left over |"
    )
    assert row in text
    assert VPCS in text
    assert ADDRESSES in text
