"""The stream of committed changes: one port, what publishes and what reads apart, and its adapters.

`memory/` is the in-process log that stands in for Kafka on a laptop. An adapter is one folder with the same files:
`stream.py` makes the publisher of `publisher.py` and the subscriber of `subscriber.py`.
"""
