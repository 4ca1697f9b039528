"""Runs in processes that can be killed: forked from a server that has imported everything, so that a start costs little."""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
import signal
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pypty_nb.runs import RecordedRun


@cache
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.processes", "pypty_nb.engine.executors.kernels"])
    return context


class Child:
    """A process that starts or resumes the run in a folder, and says how many epochs are complete after each.

    `how` may hold ``kill_at``, the n-th instant of writing at which it kills itself, ``most_bytes``, the longest file it may
    write, and ``epochs``, after which it waits to be killed.
    """

    def __init__(self, preset: Path | None, folder: Path, **how: Any):
        self._says, theirs = server().Pipe(duplex=False)
        self.process: BaseProcess = server().Process(target=_work, args=(preset, folder, how, theirs))
        self.process.start()
        theirs.close()

    def hear(self) -> Any:
        """The next thing it says; ``None`` where it has ended."""
        try:
            return self._says.recv()
        except EOFError:
            return None

    def rest(self) -> list[Any]:
        """What it says until it ends."""
        said = []
        while (word := self.hear()) is not None:
            said.append(word)
        self.process.join()
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _work(preset: Path | None, folder: Path, how: dict[str, Any], says: Connection) -> None:
    if "kill_at" in how:
        _die_at(how["kill_at"])
    if "most_bytes" in how:
        resource.setrlimit(resource.RLIMIT_FSIZE, (how["most_bytes"], how["most_bytes"]))
    try:
        with RecordedRun.resume(folder) if preset is None else RecordedRun.start(preset, folder) as run:
            says.send("began")
            for report in run:
                says.send(report.epoch + (not report.final))
                if report.epoch + 1 == how.get("epochs"):
                    signal.pause()
    except (ValueError, OSError) as error:
        says.send(str(error))


def _die_at(instant: int) -> None:
    """Kill this process in the middle of its n-th write to a file, or just before or after its n-th rename."""
    left = [instant]

    def passes() -> bool:
        left[0] -= 1
        return left[0] > 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class Cut(io.FileIO):
        def write(self, data: Any) -> int:
            if not passes():
                super().write(memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2])
                die()
            return super().write(data)

    plain_open, plain_replace = io.open, os.replace

    def open_to_cut(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "b" not in mode or mode == "rb":
            return plain_open(file, mode, *rest, **more)
        raw = Cut(file, mode.replace("b", ""))
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def replace(*paths: Any, **more: Any) -> None:
        if not passes():
            die()
        plain_replace(*paths, **more)
        if not passes():
            die()

    io.open, os.replace = open_to_cut, replace
