"""An admin's hold over everything: who began it, when and why."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.model.instants import format_instant


@dataclass(frozen=True, slots=True)
class Pause:
    """While there is one, nothing begins; ``since_ms``: UTC milliseconds."""

    since_ms: int
    by: str
    reason: str | None = None

    @property
    def told(self) -> str:
        """For whoever wonders why nothing goes on."""
        because = f" ({self.reason})" if self.reason else ""
        since = format_instant(self.since_ms)
        return f"everything is paused since {since} by {self.by}{because}; noonday resume goes on"
