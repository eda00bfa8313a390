"""The base of every document that a person or a program writes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Immutable, and strict: unknown fields are refused by name, numbers are not read from strings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=False)
