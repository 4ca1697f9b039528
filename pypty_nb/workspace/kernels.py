"""The page's kernels: one is kept ready, with everything imported, so that a visitor does not wait for the imports."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import IOLoop
from traitlets import Float, Unicode

# the end of a kernel finds Jupyter's own tasks waiting, which is usual and would be told in the server's terminal at every page's
# end; the end of a process by a signal or a crash is not silenced by this
_QUIET_END = (
    "import atexit, logging, warnings; atexit.register(logging.disable); atexit.register(warnings.simplefilter, 'ignore')"
)
_FIRST = f"--IPKernelApp.exec_lines={_QUIET_END}; import pypty_nb.widgets"


class ReadyKernels(AsyncMappingKernelManager):
    """A kernel manager that starts the next kernel before it is asked for.

    Nothing but the imports has been run in it: the page is made when a visitor comes, and shows what is there then. The kernel
    that waits takes the memory of one more page and is never culled.
    """

    folder = Unicode("", config=True, help="Where the kernels run: the folder of the page's notebook.")
    pause = Float(20.0, config=True, help="Seconds from a visitor's coming until the next kernel is started.")

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._next: asyncio.Task[str] | None = None
        IOLoop.current().add_callback(self._prepare)

    async def start_kernel(self, *, kernel_id: str | None = None, **kwargs: Any) -> str:
        """The kernel that waits, else a new one; arguments as in Jupyter's own."""
        usual = kwargs.get("kernel_name") in {None, self.default_kernel_name}
        if kernel_id is None and usual and self._next is not None:
            waiting, self._next = self._next, None
            IOLoop.current().call_later(self.pause, self._prepare)
            if (ready := await self._outcome(waiting)) is not None:
                return ready
        return await super().start_kernel(kernel_id=kernel_id, **{"extra_arguments": [_FIRST]} | kwargs)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel nobody has used for long, but not the one that waits."""
        waiting = self._next
        if waiting is None or not waiting.done() or waiting.exception() is not None or waiting.result() != kernel_id:
            await super().cull_kernel_if_idle(kernel_id)

    def _prepare(self) -> None:
        if self._next is None:
            start = super().start_kernel(cwd=self.folder or None, extra_arguments=[_FIRST])
            self._next = asyncio.ensure_future(start)

    async def _outcome(self, waiting: asyncio.Task[str]) -> str | None:
        """The kernel's id; ``None`` where it did not start, or has died since."""
        try:
            kernel_id = await waiting
        except Exception:
            self.log.exception("the kernel that was to be ready did not start")
            return None
        if kernel_id not in self:
            return None
        # it has been idle since it was started, not since it was forgotten
        # an attribute that Jupyter's server gives its kernels
        self.get_kernel(kernel_id).last_activity = datetime.now(UTC)  # pyright: ignore[reportAttributeAccessIssue]
        return kernel_id
