"""Looks for what goes wrong on people's machines, and changes nothing.

`command`, `finding` and `python` run on the standard library alone, and on old Pythons: what is
missing is what they tell.
"""
