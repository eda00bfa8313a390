"""Noonday as functions of Lambda: composed in each process at its first event, from the environment."""

from __future__ import annotations

from chalicelib import wiring
from chalicelib.aws import Aws, AwsFailure
from chalicelib.aws.direct import direct_calls
from chalicelib.aws.queues import SqsAlarm, SqsQueues
from chalicelib.engine.ports import Clock
from chalicelib.engine.stops import RunsInThisProcess
from chalicelib.model.errors import Unavailable
from chalicelib.notifications.clock import wall_ms
from chalicelib.notifications.log import JsonLog
from chalicelib.notifications.merged_alarm import MergedAlarm
from chalicelib.notifications.messages import WakeUp, write_handed_out, write_wake_up
from chalicelib.notifications.metrics import NO_STAGE
from chalicelib.settings import BadSetting, Settings, environment, read_settings
from chalicelib.store import SqlStore

SECOND_HAND = "second-hand"  # the note in the store


def provide() -> None:
    """From now on this process's Noonday is one of the cloud."""
    wiring.provide(compose)


def compose() -> wiring.Noonday:
    """Nothing of AWS is called yet, unless the database's password is kept there.

    Raises:
        Unavailable: a setting is missing or wrong; whoever deployed it finds the sentence in the log.
    """
    try:
        settings = read_settings(environment())
    except BadSetting as error:
        raise Unavailable(str(error)) from None
    direct = direct_calls(environment(), settings.aws_region, wall_ms)
    aws = Aws(settings.aws_region, wall_ms, direct)
    store = wiring.open_database(settings, aws)
    clock = wiring.system_clock(store, settings.database)
    log = wiring.standard_log(settings, clock)
    log.stage = environment().get("NOONDAY_STAGE") or NO_STAGE
    transport = _transport(settings, aws, store, log, clock)
    return wiring.compose(settings, store, clock, transport, log)


def _transport(
    settings: Settings, aws: Aws, store: SqlStore, log: JsonLog, clock: Clock
) -> wiring.Transport:
    """Delays are counted by the engine's clock, which said when: this machine's may be ahead of it."""
    prefix = settings.queues
    if prefix is None:
        raise Unavailable(
            "NOONDAY_QUEUES is not set; write https://sqs.REGION.amazonaws.com/ID/NAME-"
        )
    call = aws.caller(None, "")

    def told(failure: AwsFailure) -> None:
        # AWS says no, or not now: no defect, and what was to be sent is sent by a later minute.
        log.line("error", "Failed", error=str(failure), sending=prefix)

    def write(at_ms: int, arm_until_ms: int) -> str:
        return write_wake_up(WakeUp(at_ms, arm_until_ms))

    alarm = MergedAlarm(
        SqsAlarm(call, f"{prefix}wake", write, clock.now_ms, told),
        clock.now_ms,
        recall=lambda: store.read(lambda reader: reader.noted(SECOND_HAND)),
        keep=lambda mark: store.transact(lambda tx: tx.note(SECOND_HAND, mark)),
    )
    queues = SqsQueues(call, prefix, write_handed_out, told)
    return wiring.Transport(queue=queues, alarm=alarm, stops=RunsInThisProcess())
