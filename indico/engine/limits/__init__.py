"""Limits that all processes share: token buckets in MongoDB."""
