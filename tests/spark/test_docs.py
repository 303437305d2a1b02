"""The page on Spark: its programs run and print what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.programs import ROOT

PAGE = "how-to/spark.md"
BLOCK = re.compile(r"```python\n(.*?)```\n", re.DOTALL)
OUTPUT = re.compile(r"```python\n.*?```\n\n```text\n(.*?)```\n", re.DOTALL)


def test_the_programs_of_the_page_print_what_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / PAGE).read_text(encoding="utf-8")
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "TZ": "UTC"}
    printed = ""
    for code in BLOCK.findall(text):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    assert printed == "".join(OUTPUT.findall(text))
