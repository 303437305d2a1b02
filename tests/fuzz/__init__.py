"""Damaged payloads and files by the thousand, in a process of their own: refused or read, never a crash or a hang."""
