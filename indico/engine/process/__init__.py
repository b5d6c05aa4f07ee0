"""The processes of a server: one that serves, or a parent with workers; PID file and signals."""

import gc

# Importing a server makes half a million objects that stay. Python's default of 700 objects for
# each collection makes every start take a sixth longer.
OBJECTS_PER_COLLECTION = 50_000
gc.set_threshold(OBJECTS_PER_COLLECTION)
