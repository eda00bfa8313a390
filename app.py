"""The Chalice app: the REST blueprints and the event handlers. No logic lives here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chalice.app import Chalice, CloudWatchEvent, Cron, Rate, SQSEvent

from chalicelib import api, cloud, deployment
from chalicelib.events import (
    alarm,
    arriving,
    completing,
    delivering,
    failing,
    launching,
    tidying,
    tracing,
)
from chalicelib.events.alarm import Context
from chalicelib.settings import environment, queue_name

app = Chalice(app_name="noonday", configure_logs=False)
app.register_middleware(tracing.trace, "all")
api.register(app)
if cloud.is_lambda(environment()):
    cloud.provide()
    for kind in failing.KINDS:
        app.register_middleware(failing.tell, kind)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def minute(event: CloudWatchEvent) -> None:
    alarm.minute_hand(cast(Context, event.context))


@app.on_sqs_message(queue=queue_name(environment(), "wake"), batch_size=10)
def second(event: SQSEvent) -> dict[str, Any]:
    return alarm.second_hand(event, cast(Context, event.context))


@app.on_sqs_message(queue=queue_name(environment(), "launch"), batch_size=5)
def launch(event: SQSEvent) -> dict[str, Any]:
    return launching.launch(event)


@app.on_sqs_message(queue=queue_name(environment(), "work"), batch_size=1)
def work(event: SQSEvent) -> dict[str, Any]:
    return launching.work(event)


@app.on_sqs_message(queue=queue_name(environment(), "check"), batch_size=1)
def check(event: SQSEvent) -> dict[str, Any]:
    return launching.check(event)


@app.on_sqs_message(queue=queue_name(environment(), "deliver"), batch_size=1)
def deliver(event: SQSEvent) -> dict[str, Any]:
    return delivering.deliver(event)


@app.on_cw_event(completing.PATTERN)
def completion(event: CloudWatchEvent) -> None:
    completing.completion(event.to_dict())


@app.on_cw_event(arriving.PATTERN)
def data_arrival(event: CloudWatchEvent) -> None:
    arriving.data_arrival(event.to_dict())


@app.schedule(Cron(10, 2, "*", "*", "?", "*"))
def housekeeping(event: CloudWatchEvent) -> None:
    tidying.housekeeping(cast(Context, event.context))


@app.lambda_function()
def migrate(event: dict[str, Any], context: Context) -> Mapping[str, Any]:  # noqa: ARG001
    return deployment.deploy(event)


failing.take_any_event(app)
