"""The stream of committed changes: one port, `Log`, and the in-process log that stands in for Kafka on a laptop."""
