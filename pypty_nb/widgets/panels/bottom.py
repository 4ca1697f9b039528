"""The bottom bar: how far the run is, what it says, what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets

from pypty_nb.widgets import bare, text

_CHIPS = 3


@dataclass(frozen=True)
class Readout:
    """The numbers of a run under way; `trend` is the epoch from which on the data loss changed by that share."""

    epoch: int
    epoch_max: int
    pace: float = 0.0
    left: float = 0.0
    step: float | None = None
    evaluations: int = 0
    loss: float | None = None
    trend: tuple[int, float] | None = None

    def html(self) -> str:
        """The read-outs, left to right."""
        parts = [f"<b>Epoch {self.epoch}</b> of {self.epoch_max}"]
        if self.pace:
            parts += [f"<b>{text.number(self.pace)}</b> s per epoch", f"<b>{text.duration(self.left)}</b> left"]
        if self.step is not None:
            parts += [
                f"step <b>{text.number(self.step)}</b>",
                f"<b>{self.evaluations}</b> evaluation{'' if self.evaluations == 1 else 's'}",
            ]
        if self.loss is not None:
            parts.append(f"data loss <b>{text.number(self.loss)}</b>")
        if self.trend is not None:
            since, share = self.trend
            parts.append(f"since epoch {since} <b>{text.percent(share)}</b>")
        return "".join(f'<span class="rd">{part}</span>' for part in parts)


class BottomBar(bare.VBox):
    """Progress on the upper edge, read-outs or a sentence below, then warnings as chips."""

    def __init__(self):
        self._progress = ipywidgets.IntProgress(min=0, max=1, value=0)
        self._progress.add_class("pn-prog")
        self._words, self._note, self._log = bare.HTML(), bare.HTML(), bare.HTML()
        self._words.add_class("pn-readout")
        self._note.add_class("pn-why")
        self._go = ipywidgets.Button(description="Go to the field")
        self._go.add_class("pn-quiet")
        self._go.layout.display = "none"
        self._act: Callable[[], None] = lambda: None
        self._go.on_click(lambda _button: self._act())
        self._next_words, self._next = ipywidgets.HTML(), ipywidgets.Button()
        self._next_words.add_class("pn-why")
        self._take: Callable[[], None] = lambda: None
        self._next.on_click(lambda _button: self._take())
        self.show_next("", "", lambda: None)
        #: What else can be done with a run that has ended.
        self._way = ipywidgets.Button()
        self._way.add_class("pn-quiet")
        self._way.layout.display = "none"
        self._take_way: Callable[[], None] = lambda: None
        self._way.on_click(lambda _button: self._take_way())
        self._log.add_class("pn-log")
        self._chips = bare.HBox()
        self._chips.add_class("pn-chips")
        self._dismissed: set[str] = set()
        first, second = (
            bare.HBox([self._words, self._way, self._note, self._go, self._next_words, self._next]),
            bare.HBox([self._chips, self._log]),
        )
        first.add_class("pn-b1")
        second.add_class("pn-b2")
        super().__init__([self._progress, first, second])
        self.add_class("pn-bot")

    def show_progress(self, done: int, of: int) -> None:
        """Set the progress bar."""
        self._progress.max, self._progress.value = max(of, 1), min(done, max(of, 1))

    def show_readout(self, readout: Readout) -> None:
        """Say how the run goes, in numbers."""
        self._words.value = readout.html()

    def show_sentence(self, sentence: str, mark: str = "") -> None:
        """Say how the run stands, in words; with a mark where it must not be overlooked."""
        said = text.escape(sentence)
        shape, tone = (text.mark(mark), "loud") if mark else ("", "")
        # how it stands first, as loud as the numbers of a run
        first, stop, rest = sentence.partition(". ")
        words = f"<b>{text.escape(first)}.</b> {text.escape(rest)}" if stop and not mark and first != "Idle" else said
        self._words.value = f'<span class="rd ell {tone}" title="{said}">{shape} {words}</span>'

    def show_reason(self, why: str, go: Callable[[], None] | None = None) -> None:
        """Say why Run is off, "" where it is not; `go` leads to what is to be corrected."""
        self._note.value = f'<div class="ell" title="{text.escape(why)}">Run is off: {text.escape(why)}</div>' if why else ""

        self._act = go or (lambda: None)
        self._go.layout.display = "" if why and go is not None else "none"

    def show_next(self, words: str, button: str, take: Callable[[], None]) -> None:
        """Offer what may follow the run that has ended, with a button; "" for nothing."""
        self._next_words.value = f'<div class="ell" title="{text.escape(words)}">{text.escape(words)}</div>'
        self._next.description, self._next.tooltip, self._take = button, words, take
        self._next.layout.display = self._next_words.layout.display = None if button else "none"

    def show_way(self, words: str, take: Callable[[], None] | None = None) -> None:
        """Offer what else can be done with a run that has ended, "" for nothing."""
        self._way.description, self._take_way = words, take or (lambda: None)
        self._way.layout.display = "" if words else "none"

    def offer(self, message: str, action: str, take: Callable[[], None]) -> None:
        """Add a chip that asks whether to do something; the same one once, and not again once dismissed."""
        if message not in self._dismissed and not any(chip.message == message for chip in self._offers()):
            self.withdraw_offers()
            self._chips.children = (*self._chips.children, _Chip(message, "info", self._dismiss, (action, take)))

    def withdraw_offers(self) -> None:
        """Ask nothing any more."""
        offers = self._offers()
        if offers:
            self._chips.children = tuple(chip for chip in self._chips.children if chip not in offers)

    def _offers(self) -> list[_Chip]:
        return [chip for chip in self._chips.children if isinstance(chip, _Chip) and chip.offers]

    def log(self, line: str) -> None:
        """Set the latest line of the log, at the right."""
        self._log.value = text.escape(line)

    def warn(self, message: str, kind: str = "warn") -> None:
        """Add a chip that stays until dismissed; messages that differ in numbers only share one, which shows the latest."""
        message = message[:1].upper() + message[1:]
        known = {chip.key: chip for chip in self._chips.children if isinstance(chip, _Chip)}
        key = _key(message)
        if key in known:
            known[key].say(message)
        elif key not in self._dismissed:
            self._chips.children = (*list(known.values())[-_CHIPS + 1 :], _Chip(message, kind, self._dismiss))

    def clear(self) -> None:
        """Take all chips away: another run begins."""
        self._chips.children = tuple(chip for chip in self._chips.children if isinstance(chip, _Chip) and chip.kind == "info")
        self._dismissed.clear()

    def _dismiss(self, chip: _Chip) -> None:
        self._dismissed.add(chip.message if chip.offers else chip.key)
        self._chips.children = tuple(child for child in self._chips.children if child is not chip)


class _Chip(bare.HBox):
    def __init__(
        self, message: str, kind: str, dismiss: Callable[[_Chip], None], offer: tuple[str, Callable[[], None]] | None = None
    ):
        self.kind, self.key, self.offers = kind, _key(message), offer is not None
        self._words = bare.HTML()
        self.say(message)
        button = ipywidgets.Button(description="Dismiss", tooltip=f"Dismiss: {message}")
        button.on_click(lambda _button: dismiss(self))
        ask = []
        if offer is not None:
            words, take = offer
            ask = [ipywidgets.Button(description=words, tooltip=f"{words}: {message}")]
            ask[0].add_class("pn-quiet")
            ask[0].on_click(lambda _button: take())
        super().__init__([self._words, *ask, button])
        self.add_class("pn-chip")
        self.add_class(kind)

    def say(self, message: str) -> None:
        """Show `message`."""
        self.message = message
        said = text.escape(message)
        mark = "" if self.kind == "info" else text.mark(self.kind)
        self._words.value = f'{mark} <span class="ell" title="{said}">{said}</span>'


def _key(message: str) -> str:
    return re.sub(r"\d+", "#", message)
