"""Writes what the site takes from the code: the API pages, and tables for pages that are written by hand."""

from __future__ import annotations

from pathlib import Path

import api_reference
import schema_reference

HERE = Path(__file__).parent


def main() -> None:
    """Write all of it below docs/, where git ignores it."""
    api = HERE / "reference" / "api"
    pages = {api / f"{name}.md": api_reference.page(name) for name in api_reference.PACKAGES}
    pages[api / "index.md"] = api_reference.index()
    for table in (
        schema_reference.settings,
        schema_reference.aliases,
        schema_reference.dialects,
        schema_reference.dimensions,
        schema_reference.telemetry,
    ):
        pages[HERE / "generated" / f"{table.__name__}.md"] = table()
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
