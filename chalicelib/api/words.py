"""What the short reasons of the engine mean, in words."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.model.states import Reason

SKIPPED_BECAUSE: Mapping[str, str] = {
    Reason.SUSPENDED: "the job was suspended",
    Reason.EXPIRED: "the job had expired",
    Reason.CATCH_UP_LIMIT: "more had piled up than policies.catch_up.limit takes",
    Reason.CATCH_UP_LATEST: "policies.catch_up takes only the latest of what piled up",
    Reason.CATCH_UP_NONE: "policies.catch_up takes nothing of what piled up",
    Reason.CATCH_UP_WINDOW: "they were older than policies.catch_up.window",
    Reason.QUOTA: "the owner had as many instances waiting as it may have",
    Reason.PURGED: "the records were purged, as the retention says; they may have run",
}
