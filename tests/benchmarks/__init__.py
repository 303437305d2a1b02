"""Benchmarks: real work, interleaved with the bare client in the same run; `python -m tests.benchmarks --help`."""
