"""The command line: one file a command; what they share is in `options`, `output`, `failures` and `running`."""
