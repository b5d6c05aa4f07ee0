from pathlib import Path

from setuptools import setup

lines = (Path(__file__).parent / "req.txt").read_text().splitlines()

setup(install_requires=[line for line in lines if line and not line.startswith("#")])
