from pathlib import Path

from setuptools import setup

# All but the checks: `python setup.py develop` can't install ruff, a program that is no Python.
requirements = (Path(__file__).parent / "req.txt").read_text().split("# What its checks")[0]

setup(install_requires=[line for line in requirements.splitlines() if "==" in line])
