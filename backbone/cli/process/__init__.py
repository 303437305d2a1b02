"""The process around a command: its loop, signals, logs, broken pipes, and a backbone opened or asked."""
