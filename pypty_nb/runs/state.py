"""What is told of a run at any moment: its phase, how far it is, who owns it; in the run's folder as ``state.json``."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from pypty_nb.files import write_text

STATE = "state.json"
#: How often an owner says that it lives, and after how long without that it counts as gone.
BEAT_S = 2.0
STALE_S = 30.0


class Phase(StrEnum):
    """What a run is doing."""

    IDLE = "idle"
    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Owner:
    """The process that writes a run's folder.

    Attributes
    ----------
    host : str
        Its machine's name, for people.
    machine : str
        Tells machines apart, and containers on one machine.
    pid : int
    created : float
        When the process began, s since 1970: a process number is given again.
    since : str
        When it took the folder, ISO 8601.
    own : bool
        Whether the process does nothing else, so that it may be killed.
    """

    host: str
    machine: str
    pid: int
    created: float
    since: str
    own: bool = False

    @classmethod
    def of(cls, pid: int, *, own: bool = False) -> Owner:
        """The process `pid` of this machine, from now on."""
        try:
            created = psutil.Process(pid).create_time()
        except psutil.Error:
            # gone already; no process ever matches it
            created = 0.0
        return cls(socket.gethostname(), _machine(), pid, created, datetime.now(UTC).isoformat(timespec="seconds"), own)

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, where its number means something."""
        return self.machine == _machine()

    def lives(self) -> bool | None:
        """Whether the process is there; ``None`` where that cannot be known from here."""
        if not self.is_here:
            return None
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {local_time(self.since)}"


@dataclass(frozen=True)
class RunState:
    """What is told of a run at any moment.

    Attributes
    ----------
    phase : Phase
    epoch : int
        Complete epochs.
    epoch_first, epoch_max : int
    message : str
        Why a run failed, was lost or stopped, in words for a person.
    folder : Path or None
        Where it writes.
    place : int
        In the queue, from 1; 0 where it waits for none.
    owner : Owner or None
    heartbeat : float
        When the owner last said that it lives, s since 1970.
    """

    phase: Phase = Phase.IDLE
    epoch: int = 0
    epoch_first: int = 0
    epoch_max: int = 0
    message: str = ""
    folder: Path | None = None
    place: int = 0
    owner: Owner | None = None
    heartbeat: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether a run is under way or waits for its turn, paused or not."""
        return self.phase is Phase.QUEUED or self.owned

    @property
    def owned(self) -> bool:
        """Whether a process says that it is at work on the run."""
        return self.phase in {Phase.PREPARING, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING}

    def owner_lives(self) -> bool:
        """Whether the owner is there: by its process on this machine, else by the age of its heartbeat."""
        if self.owner is None:
            return False
        lives = self.owner.lives()
        return time.time() - self.heartbeat < STALE_S if lives is None else lives


def write_state(folder: Path, state: RunState) -> None:
    """Replace the folder's ``state.json``.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    plain = {name: value for name, value in asdict(state).items() if name not in {"folder", "place"}}
    plain["heartbeat"] = time.time()
    write_text(folder / STATE, json.dumps(plain, indent=1) + "\n", durable=False)


def read_state(folder: Path) -> RunState | None:
    """What ``state.json`` says; ``None`` where there is none, or it cannot be read."""
    path = folder / STATE
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        heartbeat = path.stat().st_mtime
        owner = plain.get("owner")
        return RunState(
            Phase(plain["phase"]), int(plain["epoch"]), int(plain["epoch_first"]), int(plain["epoch_max"]),
            str(plain["message"]), folder, owner=_owner(owner) if owner else None, heartbeat=heartbeat,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def beat(folder: Path) -> None:
    """Say that the owner lives. Needs no space on the disk."""
    os.utime(folder / STATE)


def lost(state: RunState, why: str = "") -> RunState:
    """`state` of a run whose owner is gone."""
    heard = local_time(datetime.fromtimestamp(state.heartbeat, UTC).isoformat())
    by = f"process {state.owner.pid} on {state.owner.host}" if state.owner is not None else "its process"
    message = f"{by} is gone since {heard}, after epoch {state.epoch}; what is saved can be resumed"
    return replace(state, phase=Phase.LOST, message=f"{message}. It said last: {why}" if why else message)


def local_time(iso: str) -> str:
    """A time of day for a person, with its date."""
    return f"{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M:%S}"


def _owner(plain: dict[str, Any]) -> Owner:
    return Owner(**{field.name: plain[field.name] for field in fields(Owner)})


@cache
def _machine() -> str:
    parts = [socket.gethostname()]
    for path in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        try:
            parts.append(path.read_text().strip() if path.name == "boot_id" else str(path.readlink()))
        except OSError:
            continue  # another operating system: its name must do
    return " ".join(parts)
