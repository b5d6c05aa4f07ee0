"""The metrics of several processes: files in a shared folder, also of processes that have ended.

prometheus-client counts in files when the environment variable `PROMETHEUS_MULTIPROC_DIR` is set
before Python starts. Each process of the folder then answers for all of them.
"""

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
_ENDED = 0  # stands for all ended processes in a file's name, because no worker has this pid
_SUMS = ("counter", "histogram")


@contextmanager
def shared_registry(own: CollectorRegistry) -> Iterator[CollectorRegistry]:
    """Yield the metrics of all processes that share the folder; without a folder, `own`."""
    if folder := os.environ.get(VARIABLE):
        registry = CollectorRegistry()
        registry.register(_Files(None, folder))  # type: ignore[no-untyped-call]
        with _locked(Path(folder), for_change=False):
            yield registry
    else:
        yield own


def forget_process(pid: int, folder: str | Path) -> None:
    """Keep the sums of an ended process, and drop its other metrics; its parent calls this.

    The sums move to one file for all ended processes. Otherwise each reload would leave files that
    every scrape has to read.
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
    """Let no process read while sums move, because Prometheus takes a falling sum for a restart."""
    with (folder / "lock").open("w") as lock:
        if os.name == "posix":  # pragma: no branch - Windows
            fcntl.flock(lock, fcntl.LOCK_EX if for_change else fcntl.LOCK_SH)
        yield


class _Files(MultiProcessCollector):
    """The collector without empty files, which a process has only just made."""

    def collect(self) -> Iterable[Metric]:
        files = [file for file in Path(self._path).glob("*.db") if file.stat().st_size]
        metrics: Iterable[Metric] = MultiProcessCollector.merge(map(str, files))
        return metrics
