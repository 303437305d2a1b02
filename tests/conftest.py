"""Chance in tests: the same examples each time, so that a failure is the change's and not the day's.

`HYPOTHESIS_PROFILE=random` draws new ones, to hunt.
"""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
