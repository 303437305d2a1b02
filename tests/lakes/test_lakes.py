"""The page on Iceberg and Delta Lake: its first block makes an export here, the others read it by their own clients."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to/lakes.md"
CLIENTS = ROOT / ".venv-lakes" / "bin" / "python"
BLOCK = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```\n", re.DOTALL)
EXPORTING, ICEBERG, DELTA = BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def run(python: str | Path, code: str, folder: Path) -> str:
    done = subprocess.run([python, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.fail(f"{done.stderr[-2000:]}\n(make test-lakes installs the clients)")
    return done.stdout


@pytest.mark.parametrize("block", [ICEBERG, DELTA], ids=["iceberg", "delta"])
def test_a_table_of_the_files_of_an_export_has_its_rows(block: tuple[str, str], tmp_path: Path) -> None:
    assert run(sys.executable, EXPORTING[0], tmp_path) == EXPORTING[1]
    assert run(CLIENTS, block[0], tmp_path) == block[1]
    verify = "from backbone.cli.main import main; raise SystemExit(main(['export', 'verify', '--to', 'exports']))"
    assert "as the manifest says" in run(sys.executable, verify, tmp_path)


def test_folders_by_symbol_work_as_little_as_the_page_says(tmp_path: Path) -> None:
    by_symbol = EXPORTING[0].replace('"export.partition_by": "date"', '"export.partition_by": "date,symbol"')
    run(sys.executable, by_symbol, tmp_path)
    iceberg = ICEBERG[0].rpartition("\nscan = ")[0] + "\nprint('symbol' in table.scan().to_arrow().column_names)"
    assert run(CLIENTS, iceberg, tmp_path) == "False\n"
    delta = DELTA[0].replace(
        'Schema([Field("date", PrimitiveType("date"))])',
        'Schema([Field("date", PrimitiveType("date")), Field("symbol", PrimitiveType("string"))])',
    )
    head, _, tail = delta.rpartition("\ntable = ")
    read = tail.partition("\n")[0]
    told = "print('BTC/USD/part-0.parquet' in str(error))"
    caught = f"{head}\ntry:\n    {read}\nexcept FileNotFoundError as error:\n    {told}\n"
    assert run(CLIENTS, caught, tmp_path) == "True\n"
