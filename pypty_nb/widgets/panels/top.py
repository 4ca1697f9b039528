"""The top bar: where the work lies, what it runs on, what the run does, and the buttons for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pypty_nb.widgets import bare, text
from pypty_nb.widgets.status import Status

ABORT, REALLY = "Abort", "Really abort?"


class TopBar(bare.HBox):
    """Folder and preset at the left; device, state and buttons at the right.

    Parameters
    ----------
    on_action : called when the slot button is pressed, or Space
    on_stop : called when the run is to end after this epoch
    on_abort : called when the run is to end at once, and that was asked for twice
    """

    def __init__(self, on_action: Callable[[], None], on_stop: Callable[[], None], on_abort: Callable[[], None]):
        self._on_abort = on_abort
        self._name, self._device, self._state = bare.HTML(), bare.HTML(), bare.HTML()
        self._name.add_class("pn-where")
        self._device.add_class("pn-device")
        self._state.add_class("pn-state")
        self._slot = bare.Button(description="Run", button_style="primary", disabled=True)
        self._stop = bare.Button(description="Stop after this epoch", disabled=True)
        self._slot.on_click(lambda _button: on_action())
        self._abort = bare.Button(description=ABORT, button_style="danger", disabled=True)
        self._abort.tooltip = "End the run at once; complete epochs stay"
        self._stop.on_click(lambda _button: on_stop())
        self._abort.on_click(lambda _button: self._ask_once())
        brand, space = bare.HTML("<b>pypty_nb</b>"), bare.HTML()
        brand.add_class("pn-brand")
        space.add_class("pn-grow")
        buttons = bare.HBox([self._slot, self._stop, self._abort])
        buttons.add_class("pn-buttons")
        super().__init__([brand, self._name, space, self._device, self._state, buttons])
        self.add_class("pn-top")

    def show_name(self, root: Path, name: str, modified: bool) -> None:
        """Say where the work lies and what it is called."""
        home = Path.home()
        place = f"~/{root.relative_to(home)}" if root.is_relative_to(home) and root != home else str(root)
        dot = ' <span class="pn-dot"></span><span class="m s">modified</span>' if modified else ""
        self._name.value = (
            f'<span class="m pn-place" title="{text.escape(root)}">{text.escape(place)}</span>'
            f'<span class="m"> / </span><b>{text.escape(name)}</b>{dot}'
        )

    def show_device(self, device: str, free: float, total: float) -> None:
        """Say what computes, and how much of its memory (GiB) is in use."""
        memory = f" · <b>{total - free:.1f}</b> of {total:.1f} GB" if total else ""
        self._device.value = f'<span class="m s">{text.escape(device)}{memory}</span>'

    def show_state(self, status: Status, *, can_act: bool, can_stop: bool, can_abort: bool) -> None:
        """Say what the run does, and which buttons may be pressed."""
        self._state.value = f"{text.mark(status.mark)} <b>{text.escape(status.words)}</b>"
        self._slot.description, self._slot.disabled = status.action, not can_act
        self._stop.disabled, self._abort.disabled = not can_stop, not can_abort
        if not can_abort:
            self._abort.description = ABORT

    def _ask_once(self) -> None:
        sure = self._abort.description == REALLY
        self._abort.description = ABORT if sure else REALLY
        if sure:
            self._on_abort()
