"""Tests in Chromium: `run.py test --suite browser`."""

from importlib.util import find_spec
from unittest import SkipTest

if find_spec("playwright") is None:
    raise SkipTest("playwright is not installed: python3 run.py test --suite browser")
