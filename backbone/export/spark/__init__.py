"""Spark on what was exported, and on the store: jobs in a child process, and a data source for executors."""
