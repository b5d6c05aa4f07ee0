"""How it runs: one process that serves, or a parent with workers; sockets, PID file, background."""
