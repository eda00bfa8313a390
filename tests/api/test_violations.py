"""What is wrong with a document: one problem a field, with its value, in words that say what is right."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from chalicelib.api.requests import InstancesQuery, MergePatch, SuspendBody, TriggerBody
from chalicelib.model.definition import Definition
from chalicelib.model.violations import problems_of

SOUND: dict[str, Any] = {"name": "a", "schedule": {"every": "PT1H"}, "target": {"kind": "sql"}}


def problems(document: object, model: type[BaseModel] = Definition, at: str = "") -> dict[str, Any]:
    with pytest.raises(ValidationError) as error:
        model.model_validate(document)
    return {one.field: (one.message, one.value) for one in problems_of(error.value, model, at)}


def broken(**fields: object) -> dict[str, Any]:
    return problems({**SOUND, **fields})


def test_what_is_missing_is_named() -> None:
    found = problems({})
    assert found["name"] == ("is missing", None)
    assert set(found) == {"name", "schedule", "target"}


def test_an_unknown_field_is_named_with_what_was_meant() -> None:
    assert broken(nmae="b") == {"nmae": ("is not known here; did you mean name?", "b")}
    [(field, (message, value))] = broken(policies={"retries": {"attempts": 3}}).items()
    assert (field, value) == ("policies.retries.attempts", 3)
    assert message.endswith("did you mean max_attempts?")


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"retries": {"max_attempts": 3}}, "policies.retries"),
        ({"timeout": {"run": "PT5M"}}, "policies.timeouts"),
        ({"timezone": "Europe/Berlin"}, "schedule.timezone"),
        ({"schedule": {"every": "PT1H", "overlap": "skip"}}, "policies.overlap"),
    ],
)
def test_a_field_that_stands_one_level_off_is_shown_its_place(
    fields: dict[str, Any], meant: str
) -> None:
    [(message, _)] = broken(**fields).values()
    assert message == f"is not known here; did you mean {meant}?"
    [(message, _)] = problems({**SOUND, **fields}, at="job").values()
    assert message == f"is not known here; did you mean job.{meant}?"


def test_an_unknown_field_that_is_like_none_gets_the_list() -> None:
    found = broken(policies={"zzz": 1})
    assert found["policies.zzz"][0].startswith("is not known here; there are catch_up, ")


def test_a_choice_of_types_that_fails_is_one_problem() -> None:
    assert broken(parameters={"a": None}) == {
        "parameters.a": ("must be text, a whole number, a number or true or false", None)
    }
    assert list(broken(parameters={"a": {"b": [1]}})) == ["parameters.a"]


def test_a_name_that_is_wrong_is_a_problem_of_its_entry() -> None:
    found = broken(tags={"Not A Slug": "x", "fine": 1})
    assert set(found) == {"tags.Not A Slug", "tags.fine"}
    assert found["tags.fine"] == ("must be text", 1)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 5, "must be text"),
        ("name", "Bad Name", "a name is 1 to 100 of a-z"),
        ("tags", [], "must be an object"),
        ("schedule", "daily", "must be an object"),
        ("policies.max_active", "3", "must be a whole number"),
        ("policies.max_active", 0, "must be at least 1"),
        ("policies.max_active", 1.5, "must be a whole number"),
        ("policies.max_active", True, "must be a whole number"),
        (
            "policies.overlap",
            "quue",
            "must be one of allow, skip, queue, queue_one, replace; did you mean queue?",
        ),
        ("policies.overlap", "SKIP", "did you mean skip?"),
        ("policies.catch_up.mode", "most", "must be one of all, latest, none"),
        ("policies.retries.factor", 0.5, "must be at least 1"),
        ("policies.timeouts.run", "1h", "PT"),
        ("description", "x" * 3000, "must have at most 2000 characters"),
    ],
)
def test_each_kind_of_fault_has_its_sentence(field: str, value: object, message: str) -> None:
    document: object = value
    for part in reversed(field.split(".")):
        document = {part: document}
    assert isinstance(document, dict)
    [(named, (said, shown))] = broken(**document).items()
    assert named == field
    assert message in said
    assert shown == value or len(str(shown)) <= 200


def test_a_place_may_be_put_before_the_fields() -> None:
    assert list(problems({"x": 1}, SuspendBody, "command")) == ["command.x"]


def test_documents_that_are_only_a_mapping_have_no_field_of_their_own() -> None:
    assert list(problems([], MergePatch)) == [""]


def test_query_strings_are_named_as_they_are_written() -> None:
    found = problems({"state": ("RUNING",), "from": "yesterday", "limit": "0"}, InstancesQuery)
    assert set(found) == {"state.0", "from", "limit"}
    assert "did you mean RUNNING?" in found["state.0"][0]


def test_times_without_an_offset_are_refused() -> None:
    found = problems({"nominal_time": "2026-01-01T00:00:00"}, TriggerBody)
    assert "offset" in found["nominal_time"][0]
    found = problems({"nominal_time": "2026-01-01T00:00:00 01:00"}, TriggerBody)
    assert "nominal_time" in found
