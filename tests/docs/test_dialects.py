"""The page of dialects is made from the table of dialects, and the example of an own one works in a package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from backbone.sources.text.vendors import BUILT_IN

ROOT = Path(__file__).parents[2]
FILE = "Day,Clock,First,Max,Min,Last,Remark\n2024-03-08,09:30,1,3,0.5,2,hello\n"
READ = """
from backbone.sources.csv import CsvSource
source = CsvSource("acme.csv", "intraday", symbol="ACME", interval="1m", zone="America/New_York")
for chunk in source.chunks():
    print(source.account.dialect, *chunk.frame.to_arrow().column("ts").to_pylist(), source.account.ignored)
"""


def test_the_page_lists_every_dialect_with_its_columns(site: Path) -> None:
    table = (site.parent / "docs/generated/dialects.md").read_text()
    rows = {line.split("`")[1]: line for line in table.splitlines()[2:]}
    assert list(rows) == [dialect.name for dialect in BUILT_IN]
    for dialect in BUILT_IN:
        row = rows[dialect.name]
        for name in (*dialect.header, *dialect.columns, *dialect.ignored):
            assert f"`{name}`" in row
        for option in dialect.asks:
            assert f"--{option.replace('_', '-')}" in row
    page = (site / "reference/dialects/index.html").read_text()
    assert all(f"<code>{dialect.name}</code>" in page for dialect in BUILT_IN)


def test_the_example_of_an_own_dialect_is_found_by_its_entry_point(tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/own-files.md").read_text(encoding="utf-8").split("## A dialect of your own")[1]
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (code, *_) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert code.count("\n") <= 20
    group, point = re.findall(r'entry-points\."(.*?)"\]\n(.*)\n', toml)[0]
    (tmp_path / "acme_files.py").write_text(code)
    installed = tmp_path / "acme_files-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-files\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[{group}]\n{point.replace(chr(34), '')}\n")
    (tmp_path / "acme.csv").write_text(FILE)
    command = [sys.executable, "-c", READ]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "acme-bars 2024-03-08 14:30:00+00:00 {'Remark': 'is for people'}\n"
