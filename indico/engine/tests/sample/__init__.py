"""A small project: what the engine's tests run, since the engine knows no other."""
