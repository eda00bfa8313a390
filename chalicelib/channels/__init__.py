"""The ways to reach those who asked to be told, one module a kind of channel."""

from chalicelib.channels.aws import AWS_CHANNELS, EventBus, SnsTopic
from chalicelib.channels.registry import ChannelRegistry
from chalicelib.channels.webhook import Webhook, WebhookSettings

__all__ = [
    "AWS_CHANNELS",
    "ChannelRegistry",
    "EventBus",
    "SnsTopic",
    "Webhook",
    "WebhookSettings",
]
