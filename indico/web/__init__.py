"""Pages for people: one module for a page or a few, ending with its routes."""
