from pathlib import Path

from setuptools import setup

# All but the checks: `python setup.py develop` can't install ruff, a program that is no Python.
text = (Path(__file__).parent / "req.txt").read_text().split("# What its checks")[0]
requirements = [line for line in text.splitlines() if "==" in line]
tracing = [line for line in requirements if line.startswith("opentelemetry")]

setup(
    install_requires=[line for line in requirements if line not in tracing],
    extras_require={"otel": tracing},
)
