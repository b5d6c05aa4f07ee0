"""How fast indico is, measured beside what else one would pick: `python3 run.py bench`."""
