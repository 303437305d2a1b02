"""FRED: the calendar of releases, and series with what was known when."""
