"""The figures of several processes: files in a folder, of those that live and those that ended."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if os.name == "posix":  # pragma: no branch - Windows
    import fcntl

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_ENDED = 0  # no worker's process id: what all that have ended had counted
_SUMS = ("counter", "histogram")


@contextmanager
def shared_registry(own: CollectorRegistry) -> Iterator[CollectorRegistry]:
    """Those of all processes that share our folder; without a folder, `own`."""
    if folder := os.environ.get(VARIABLE):
        registry = CollectorRegistry()
        registry.register(_Files(None, folder))  # type: ignore[no-untyped-call]
        with _locked(Path(folder), for_change=False):
            yield registry
    else:
        yield own


def forget_process(pid: int, folder: str | Path) -> None:
    """What the process had counted stays in the sums; its own figures are gone.

    For its parent, once it has ended. Its files become part of one, else each reload would leave
    some behind that every scrape has to read.
    """
    folder = Path(folder)
    with _locked(folder, for_change=True):
        mark_process_dead(pid, str(folder))
        for kind in _SUMS:
            ended = folder / f"{kind}_{pid}.db"
            if ended.exists():
                _add(ended, folder / f"{kind}_{_ENDED}.db")
                ended.unlink()


def _add(file: Path, to: Path) -> None:
    sums = MmapedDict(str(to))
    for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
        sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
    sums.close()


@contextmanager
def _locked(folder: Path, for_change: bool) -> Iterator[None]:
    """Nobody reads while files are added up: a sum that falls looks like a restart."""
    with (folder / "lock").open("w") as lock:
        if os.name == "posix":  # pragma: no branch - Windows
            fcntl.flock(lock, fcntl.LOCK_EX if for_change else fcntl.LOCK_SH)
        yield


class _Files(MultiProcessCollector):
    """Without a file that a process has only just made, which holds nothing yet."""

    def collect(self) -> Iterable[Metric]:
        files = [file for file in Path(self._path).glob("*.db") if file.stat().st_size]
        metrics: Iterable[Metric] = MultiProcessCollector.merge(map(str, files))
        return metrics
