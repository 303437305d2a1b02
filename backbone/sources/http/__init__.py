"""Asking providers over HTTP: one client, whose limits are shared by all runs of the process."""
