"""Chance in tests: the same examples each time, so that a failure is the change's and not the day's.

`HYPOTHESIS_PROFILE=random` draws new ones, to hunt.
"""

import gc
import os
import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # shells ignore it for what they start in the background; the tests and their processes must be interruptible
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_collection() -> None:
    """Let nothing be collected while tests are found: all that is made then is kept."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Take all that is loaded by now for lasting: each full collection would walk over the modules of all tests."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let all of it be collected at the end, or libraries say that they were leaked."""
    gc.unfreeze()
