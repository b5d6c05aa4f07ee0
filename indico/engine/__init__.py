"""The engine runs the app; README.md has one line a part."""
