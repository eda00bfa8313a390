"""The verbs of Noonday. Each is one transaction: lock, settle what is past, change, record."""

from chalicelib.engine.commands.arrivals import data_arrived
from chalicelib.engine.commands.backfill_wishes import Wish
from chalicelib.engine.commands.backfills import (
    cancel_backfill,
    create_backfill,
    plan_backfill,
)
from chalicelib.engine.commands.calendars import delete_calendar, set_calendar
from chalicelib.engine.commands.callback_keys import rotate_callback_key
from chalicelib.engine.commands.choosing import Choice, Verb
from chalicelib.engine.commands.groups import delete_group, set_group
from chalicelib.engine.commands.instances import kill, rerun, skip, trigger
from chalicelib.engine.commands.lifecycle import delete, expire, resume, schedule, suspend
from chalicelib.engine.commands.many import Counted, Done, Wanted, change_many, count_many
from chalicelib.engine.commands.pausing import pause, resume_all
from chalicelib.engine.commands.people import (
    create_owner,
    create_token,
    register_token,
    remove_member,
    set_member,
)
from chalicelib.engine.commands.quotas import set_quotas
from chalicelib.engine.commands.reports import Report, Said, report
from chalicelib.engine.commands.revising import Planned, patch, plan_patch, plan_update, update
from chalicelib.engine.commands.submission import check, submit
from chalicelib.engine.commands.upstreams import missing_upstreams

__all__ = [
    "Choice",
    "Counted",
    "Done",
    "Planned",
    "Report",
    "Said",
    "Verb",
    "Wanted",
    "Wish",
    "cancel_backfill",
    "change_many",
    "check",
    "count_many",
    "create_backfill",
    "create_owner",
    "create_token",
    "data_arrived",
    "delete",
    "delete_calendar",
    "delete_group",
    "expire",
    "kill",
    "missing_upstreams",
    "patch",
    "pause",
    "plan_backfill",
    "plan_patch",
    "plan_update",
    "register_token",
    "remove_member",
    "report",
    "rerun",
    "resume",
    "resume_all",
    "rotate_callback_key",
    "schedule",
    "set_calendar",
    "set_group",
    "set_member",
    "set_quotas",
    "skip",
    "submit",
    "suspend",
    "trigger",
    "update",
]
