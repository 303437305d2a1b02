"""A file for the settings of each room."""
