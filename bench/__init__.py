"""Measurements of indico's speed, beside other frameworks: `python3 run.py bench`."""
