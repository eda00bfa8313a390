"""The Chalice app: the REST blueprints and the event handlers. No logic lives here."""

from __future__ import annotations

from typing import cast

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib import api
from chalicelib.events import alarm, launching
from chalicelib.events.alarm import Context

app = Chalice(app_name="noonday", configure_logs=False)
api.register(app)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def minute(event: CloudWatchEvent) -> None:
    alarm.minute_hand(cast(Context, event.context))


@app.on_sqs_message(queue="noonday-wake-ups", batch_size=10)
def second(event: SQSEvent) -> None:
    alarm.second_hand(event, cast(Context, event.context))


@app.on_sqs_message(queue="noonday-launches", batch_size=10)
def launch(event: SQSEvent) -> None:
    launching.launch(event)


@app.on_sqs_message(queue="noonday-work", batch_size=1)
def work(event: SQSEvent) -> None:
    launching.work(event)


@app.on_sqs_message(queue="noonday-checks", batch_size=1)
def check(event: SQSEvent) -> None:
    launching.check(event)
