"""The control socket: a 0600 unix socket by which another process of the same user asks a running backbone."""
