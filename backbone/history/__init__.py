"""Reads of what has not changed since the newest export: out of its files, and not out of the store."""
