"""While a run is watched the kernel's loop is never held for long: what a click has to wait for."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from pypty_nb.widgets.app import App
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.workspace import Jobs, Phase

pytestmark = pytest.mark.timeout(600)
FRAMES = 8
#: Seconds of the loop's own computing; waiting for others on the machine does not count. Measured: 0.03.
AT_MOST_S = 0.25


def test_no_callback_holds_the_loop_while_a_run_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real page on a real run, whose frames are shown as soon as they are sent."""
    held: dict[str, float] = {}
    frames: list[int] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        name = repr(handle)
        held[name] = max(held.get(name, 0.0), time.thread_time() - began)

    def shown(bridge: Bridge, number: int) -> None:
        frames.append(number)
        asyncio.get_running_loop().call_later(0.02, bridge._heard, None, {"shown": number}, [])

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    monkeypatch.setattr(Bridge, "ask_shown", shown)

    async def watch() -> None:
        page = App(tmp_path)
        runner = page.workspace.runner
        await page._data.open_demo()
        page.workspace.preset.update(epoch_max=5000, n_hermite_probe_modes=(1, 0))
        for step in (3, 4):
            page.open_step(step)
        page._driving.act()
        await runner.until(lambda state: state.epoch > 2)
        held.clear()
        frames.clear()
        await runner.until(lambda state: len(frames) >= FRAMES)
        page._driving.stop()
        await runner.until(lambda state: not state.busy)
        assert runner.state.phase is Phase.STOPPED

    try:
        asyncio.run(watch())
    finally:
        jobs = Jobs(tmp_path)
        for job in jobs.list():
            if job.state.busy:
                jobs.abort(job.folder)
    slowest = max(held, key=lambda name: held[name])
    print(f"{len(frames)} frames; the longest callback took {1e3 * held[slowest]:.0f} ms: {slowest}")
    assert held[slowest] < AT_MOST_S, slowest
