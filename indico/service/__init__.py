"""Logic that more than one route needs; it knows nothing of HTTP."""
