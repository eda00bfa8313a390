"""The ways to reach those who asked to be told, one module a kind of channel."""

from chalicelib.channels.registry import ChannelRegistry
from chalicelib.channels.webhook import Webhook, WebhookSettings

__all__ = ["ChannelRegistry", "Webhook", "WebhookSettings"]
