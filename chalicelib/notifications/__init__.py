"""Notification Services: the alarm (time), what is said about what happened, and the queues' words."""
