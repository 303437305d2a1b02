"""Stands before pandas in processes that tests start, as if nobody had installed it (see `tests.programs.lean`)."""

raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
