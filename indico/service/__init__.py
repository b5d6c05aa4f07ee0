"""Logic that more than one route needs, without any HTTP."""
