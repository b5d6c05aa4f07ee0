"""HTTP: a server that reads and writes, and an application whose handlers answer."""
