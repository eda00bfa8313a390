"""The Chalice app: the REST blueprints and the event handlers. No logic lives here.

A function of Lambda loads what it serves, and nothing of the others: handlers import what they call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from chalice.app import Chalice, CloudWatchEvent, Cron, Rate, SQSEvent

from chalicelib import starting
from chalicelib.events.rules import ARRIVALS, ENDS
from chalicelib.settings import environment, queue_name

if TYPE_CHECKING:
    from chalicelib.events.alarm import Context

app = Chalice(app_name="noonday", configure_logs=False)
starting.start(app, environment())


@app.schedule(Rate(1, unit=Rate.MINUTES))
def minute(event: CloudWatchEvent) -> None:
    from chalicelib.events import alarm

    alarm.minute_hand(cast("Context", event.context))


@app.on_sqs_message(queue=queue_name(environment(), "wake"), batch_size=10)
def second(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.events import alarm

    return alarm.second_hand(event, cast("Context", event.context))


@app.on_sqs_message(queue=queue_name(environment(), "launch"), batch_size=5)
def launch(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.events import launching

    return launching.launch(event)


@app.on_sqs_message(queue=queue_name(environment(), "work"), batch_size=1)
def work(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.events import launching

    return launching.work(event)


@app.on_sqs_message(queue=queue_name(environment(), "check"), batch_size=1)
def check(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.events import launching

    return launching.check(event)


@app.on_sqs_message(queue=queue_name(environment(), "deliver"), batch_size=1)
def deliver(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.events import delivering

    return delivering.deliver(event)


@app.on_cw_event(ENDS["aws.states"])  # Chalice takes one rule; infra/ adds those of the others
def completion(event: CloudWatchEvent) -> None:
    from chalicelib.events import completing

    completing.completion(event.to_dict())


@app.on_cw_event(ARRIVALS)
def data_arrival(event: CloudWatchEvent) -> None:
    from chalicelib.events import arriving

    arriving.data_arrival(event.to_dict())


@app.schedule(Cron(10, 2, "*", "*", "?", "*"))
def housekeeping(event: CloudWatchEvent) -> None:
    from chalicelib.events import tidying

    tidying.housekeeping(cast("Context", event.context))


@app.lambda_function()
def migrate(event: dict[str, Any], context: Context) -> Mapping[str, Any]:  # noqa: ARG001
    from chalicelib import deployment

    return deployment.deploy(event)


starting.started(app)
