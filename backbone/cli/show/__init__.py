"""How results are shown: pages, trees, progress, rows, files."""
