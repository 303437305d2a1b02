"""Sample data that travels with the package: real prices to try things with, in a checkout and in an installed wheel.

```python
from backbone import Dimension, IngestPlan, samples

plan = IngestPlan(dimensions=[Dimension.INTRADAY_BARS], interval="1h", path=samples.eurusd_1h())
```
"""

from __future__ import annotations

from pathlib import Path

from backbone.settings.resources import resource

__all__ = ["eurusd_1h"]


def eurusd_1h() -> Path:
    """The place of 5,000 hourly EURUSD bars, 9 March to 31 December 2018.

    CSV, compressed: ts (start of the bar, UTC), symbol, open, high, low, close (mid prices, US dollars for a euro), and
    an empty volume. The interval is not in the file: give interval="1h". Where the prices come from stands in NOTICE.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return resource("config/samples/eurusd_1h_tail.csv.gz")
