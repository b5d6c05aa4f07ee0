import sys
from pathlib import Path

try:
    from setuptools import setup
except ImportError:
    sys.exit(
        "setup.py: this Python has no setuptools, which Python 3.12 and newer don't bring. "
        "Run `pip install setuptools` first, or `pip install -e .`, which needs none."
    )

lines = (Path(__file__).parent / "req.txt").read_text().splitlines()
requirements = [line for line in lines if "==" in line]
tracing = [line for line in requirements if line.startswith("opentelemetry")]

setup(
    install_requires=[line for line in requirements if line not in tracing],
    extras_require={"otel": tracing},
)
