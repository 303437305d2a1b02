"""One full cycle over real bars, and its evidence."""
