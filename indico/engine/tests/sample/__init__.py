"""A small project for the engine's tests, because the engine knows no other project."""
