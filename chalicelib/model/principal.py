"""Who asks: a principal belongs to owners (teams), each with a role; admins to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.model.states import Role


@dataclass(frozen=True, slots=True)
class Principal:
    """``roles``: owner's name to the role in it."""

    name: str
    admin: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)

    @property
    def sees(self) -> Sequence[str] | None:
        """The owners whose jobs exist for this principal; None for all."""
        return None if self.admin else sorted(self.roles)


@dataclass(frozen=True, slots=True)
class Membership:
    principal: str
    owner: str
    role: Role
