"""Columnar files that are provably what the store holds."""
