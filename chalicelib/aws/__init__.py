"""The only place that talks to Amazon: lazy clients, queues, secrets. Nothing is here yet."""
