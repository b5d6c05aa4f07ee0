"""`no_descriptors` leaves no descriptor free."""

from __future__ import annotations

import gc
import os
from unittest import TestCase

from .descriptors import no_descriptors


class _OpenFile:
    """A descriptor, which is open until a collection finds the cycle."""

    def __init__(self) -> None:
        self.itself = self
        self._descriptor = os.dup(0)

    def __del__(self) -> None:
        os.close(self._descriptor)


class NoDescriptorsTest(TestCase):
    covers = False  # its code is only the tests'

    def test_none_is_freed_by_a_collection(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(100)
        _OpenFile()
        with no_descriptors(), self.assertRaises(OSError):
            self.assertEqual(len([[] for _ in range(1_000)]), 1_000)  # enough for a collection
            os.close(os.dup(0))
