"""The sample data is found by name, and is what its text says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import backbone
from backbone import Dimension, samples
from backbone.testing import embedded


def code() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", samples.__doc__ or "", flags=re.DOTALL)
    return str(block)


async def test_the_plan_of_the_docstring_brings_all_bars_in() -> None:
    names: dict[str, object] = {}
    exec(compile(code(), "samples.py", "exec"), names)  # noqa: S102  it is our own text
    plan = names["plan"]
    assert isinstance(plan, backbone.IngestPlan)
    async with embedded() as running:
        run = await running.ingest(plan)
        frame = await running.fetch(Dimension.INTRADAY_BARS, symbols=["EURUSD"], interval="1h")
    assert (run.inserted, run.quarantined) == (5000, 0)
    assert (str(frame.start), str(frame.end)) == ("2018-03-09 16:00:00+00:00", "2018-12-31 21:00:00+00:00")


def test_samples_are_an_attribute_of_the_package(tmp_path: Path) -> None:
    show = "import backbone; print(backbone.samples.eurusd_1h().is_file(), 'samples' in backbone.__all__)"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize("name", backbone.__all__)
def test_every_name_that_the_package_lists_can_be_had(name: str) -> None:
    assert getattr(backbone, name) is not None
