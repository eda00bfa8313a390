"""The REST API: parse, call, render. One module a resource; errors and description in one place each."""

from __future__ import annotations

from collections.abc import Sequence

from chalice.app import Chalice

from chalicelib.api import (
    arrivals,
    backfills,
    bulk,
    calendars,
    callback_keys,
    callbacks,
    groups,
    history,
    instances,
    job_commands,
    jobs,
    notifications,
    pausing,
    people,
    reasons,
    revisions,
    schedules,
    service,
    statistics,
)
from chalicelib.api.refusals import as_problems
from chalicelib.api.resource import Operation, Resource

RESOURCES: Sequence[Resource] = tuple(
    module.resource
    for module in (
        jobs,
        revisions,
        job_commands,
        instances,
        reasons,
        arrivals,
        callbacks,
        callback_keys,
        bulk,
        backfills,
        notifications,
        schedules,
        calendars,
        groups,
        history,
        statistics,
        people,
        pausing,
        service,
    )
)


def register(app: Chalice) -> None:
    """Give the app all routes, and problem documents for what Chalice itself refuses."""
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    app.register_middleware(as_problems, "http")


def prepare() -> None:
    """Build all documents now: a server of many threads does not leave that to its first requests."""
    for operation in operations():
        for model in (operation.body, operation.query, *operation.answers.values()):
            if model is not None and not isinstance(model, str):
                model.model_rebuild()


def operations() -> Sequence[Operation]:
    return [operation for resource in RESOURCES for operation in resource.operations]
