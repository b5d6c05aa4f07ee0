"""The command line of a peer."""

from __future__ import annotations

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--mongodb-uri", required=True)
parser.add_argument("--mongodb-database", required=True)
OPTIONS = parser.parse_args()
