"""What the stack made and every test needs: moto is emptied for each of them, and this is there again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import sqs_backends

from tests.cloud.amazon import ACCOUNT, REGION


class Remaining:
    """Queues without their messages, roles with their policies, secrets with their values."""

    def __init__(self) -> None:
        self._queues = dict(_queues().queues)
        for queue in self._queues.values():
            queue.lambda_event_source_mappings.clear()  # moto would feed functions that do nothing
        self._roles = deepcopy(_roles().roles)
        self._secrets = deepcopy(_secrets().secrets)

    def restore(self) -> None:
        _queues().queues.update(self._queues)
        for name, queue in self._queues.items():
            queue.last_purged_at = None  # else once a minute only
            _queues().purge_queue(name)
            queue.last_purged_at = None
        _roles().roles.update(deepcopy(self._roles))
        _secrets().secrets = deepcopy(self._secrets)


def _queues() -> Any:
    return sqs_backends[ACCOUNT][REGION]


def _roles() -> Any:
    return iam_backends[ACCOUNT]["aws"]


def _secrets() -> Any:
    return secretsmanager_backends[ACCOUNT][REGION]
