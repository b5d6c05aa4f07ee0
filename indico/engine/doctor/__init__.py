"""Checks for what goes wrong on a machine that runs the server. They change nothing.

`command`, `finding` and `python` run on the standard library alone, and on old Pythons. The reason
is that they report a missing package or an old Python.
"""
