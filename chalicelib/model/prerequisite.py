"""What must hold before an instance may launch, as its user writes it."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from chalicelib.model.document import Document
from chalicelib.model.identity import Slug

S3 = "s3://"
GLUE = "glue://"
MOST = 20
_CLASS = re.compile(r"[1-5]xx")
_TIME = re.compile(r"\$\{(?:nominal|previous|next)_time(?:[+-]\d{1,6}[smhdw])?\}")
_SAME = re.compile(r"\$\{nominal_time(?:[+-]0+[smhdw])?\}")
_COMPANIONS = {"connection": "sql", "method": "http", "status": "http", "at": "job"}

Kind = Literal["data", "sql", "http", "job"]
KINDS: tuple[Kind, ...] = ("data", "sql", "http", "job")


class Prerequisite(Document):
    """One thing that must hold: exactly one of ``data``, ``sql``, ``http`` and ``job``."""

    data: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        description="A file, a folder/ with something in it or a glob under the files' root, an object"
        " s3://bucket/key, a prefix s3://bucket/prefix/ with something below it, or a partition of a table of"
        " Glue's catalogue: glue://database/table/dt=VALUE",
        examples=[
            "orders/${nominal_time:%Y/%m/%d}/*.csv",
            "s3://orders/2026/11/23/_SUCCESS",
            "glue://sales/orders/dt=${nominal_time:%Y-%m-%d}",
        ],
    )
    sql: str | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="A query on `connection` that returns a row; values are bound as in targets",
        examples=["SELECT 1 FROM loads WHERE day = :nominal_date AND done"],
    )
    connection: str | None = Field(
        None, description="With `sql`: name of a registered database", examples=["warehouse"]
    )
    http: str | None = Field(
        None,
        min_length=1,
        max_length=8000,
        description="A URL that answers with `status`; its body is not read",
        examples=["https://api.example.com/ready?day=${nominal_time:%Y-%m-%d}"],
    )
    method: Literal["GET", "HEAD"] | None = Field(None, description="With `http`; GET by default")
    status: int | list[int | str] | None = Field(
        None,
        description="With `http`: a status, or a list of them and of classes like 2xx; 200 by default",
        examples=[200, ["2xx", 304]],
    )
    job: Slug | None = Field(
        None,
        description="Another job of the same owner, whose instance of the same nominal time (or of `at`)"
        " has succeeded",
        examples=["load-orders"],
    )
    at: str | None = Field(
        None,
        max_length=100,
        description="With `job`: the nominal time of its instance; the same by default",
        examples=["${nominal_time-1d}", "${previous_time}"],
    )

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def statuses(self) -> tuple[int | str, ...]:
        """What ``http`` may answer."""
        if self.status is None:
            return (200,)
        return tuple(self.status) if isinstance(self.status, list) else (self.status,)

    @property
    def same_time(self) -> bool:
        """Whether ``job`` means the instance of the same nominal time."""
        return self.at is None or _SAME.fullmatch(self.at) is not None

    @field_validator("status")
    @classmethod
    def _statuses(cls, status: int | list[int | str] | None) -> int | list[int | str] | None:
        if status == []:
            raise ValueError("is empty; write a status such as 200")
        for one in status if isinstance(status, list) else [status]:
            known = (
                _CLASS.fullmatch(one) if isinstance(one, str) else one is None or 100 <= one <= 599
            )
            if not known:
                raise ValueError(f"{one!r} is no status; write 100 to 599, or classes like 2xx")
        return status

    @field_validator("at")
    @classmethod
    def _one_time(cls, text: str | None) -> str | None:
        if text is not None and _TIME.fullmatch(text) is None:
            raise ValueError(
                "names no nominal time; write ${nominal_time-1d}, ${previous_time} or ${next_time}"
            )
        return text

    @model_validator(mode="after")
    def _exactly_one(self) -> Prerequisite:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"needs exactly one of data, sql, http and job; here is {found}")
        for name, kind in _COMPANIONS.items():
            if getattr(self, name) is not None and kind != given[0]:
                raise ValueError(f"{name} belongs to {kind}, not to {given[0]}; leave it out")
        if self.sql is not None and self.connection is None:
            raise ValueError("sql needs a connection: the name of a registered database")
        return self
