"""Judging frames: session calendars, checks, scores, and the screening of rows that must not be stored."""
