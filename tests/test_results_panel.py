"""The Results step without a browser: what its rows say, and that its buttons do what they say to real runs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pypty_nb import Preset, run_ptychography
from pypty_nb.widgets import app
from pypty_nb.widgets.panels.compare import table
from pypty_nb.widgets.panels.ledger import AT_ONCE, CHOSEN, NO_RUNS, Deeds, LedgerList, cells
from pypty_nb.widgets.panels.together import said
from pypty_nb.workspace.comparing import compare, share_patterns
from pypty_nb.workspace.ledger import BROKEN, Entry, Ledger
from tests.conftest import EPOCHS, _tiny


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with two finished runs and a folder that is none."""
    root = tmp_path_factory.mktemp("project")
    for name, changes in (("001", {}), ("002", {"wolfe_c1_constant": 0.25})):
        preset = _tiny().copy()
        preset.update({**changes, "output_folder": str(root / "runs" / name)})
        run_ptychography(preset)
    (root / "runs" / "003").mkdir()
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "project")
    return tmp_path / "project"


def shown(root: Path):
    """The application and its Results step, the ledger read. Needs an event loop."""
    page = app(root)
    return page, page._results.panel


def rows(panel) -> dict[str, object]:
    return panel._list._rows


async def until(true: Callable[[], object]) -> None:
    for _ in range(1200):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


def test_rows_newest_first_and_broken_ones_say_why(root: Path) -> None:
    async def main() -> None:
        page, panel = shown(root)
        await panel.refresh()
        assert list(rows(panel)) == ["003", "002", "001"]
        body = panel._list._body.children
        assert [row.widget for row in rows(panel).values()] == list(body[:-1])
        assert "broken: it has no params.json" in rows(panel)["003"]._cells.value
        assert "finished" in rows(panel)["002"]._cells.value and f">{EPOCHS}<" in rows(panel)["002"]._cells.value
        assert rows(panel)["003"]._open.disabled and not rows(panel)["002"]._open.disabled
        assert panel._first == "002", "the newest that can be read is chosen"
        await panel.refresh()
        assert panel._list._body.children == body, "rows are kept"
        assert page._run_words(page.workspace.runner.state) == "3 runs"

    asyncio.run(main())


def test_an_empty_project_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        _, panel = shown(tmp_path)
        await panel.refresh()
        assert panel._list._body.children[0].value.startswith(NO_RUNS)
        assert panel._export._button.disabled and panel._chosen.render().children[-1].value == NO_RUNS

    asyncio.run(main())


def test_what_people_typed_is_text_not_markup(root: Path) -> None:
    Ledger(root).rename("001", "<script>alert(1)</script>")
    Ledger(root).annotate("001", '"><b>note')
    said = cells(Ledger(root).entry("001"))
    assert "<script>" not in said and "&lt;script&gt;" in said and '"><b>note' not in said
    assert "<i>" not in cells(Entry("9", root, state=BROKEN, problem="<i>x"))


def test_deleting_asks_once(root: Path) -> None:
    async def main() -> None:
        _, panel = shown(root)
        await panel.refresh()
        chosen = panel._chosen
        panel._choose("001")
        chosen._delete.click()
        assert chosen._sure in chosen._buttons.children and (root / "runs" / "001").is_dir()
        chosen._keep.click()
        assert chosen._delete in chosen._buttons.children
        chosen._delete.click()
        panel._choose("002")
        panel._choose("001")
        assert chosen._delete in chosen._buttons.children, "another run is asked for anew"
        chosen._delete.click()
        chosen._sure.click()
        await until(lambda: "001" not in rows(panel))
        assert not (root / "runs" / "001").exists() and list(rows(panel)) == ["003", "002"]
        assert panel._undo in panel._telling.children and "lies in the trash" in panel._said.value
        panel._undo.click()
        await until(lambda: "001" in rows(panel))
        assert panel._undo not in panel._telling.children and Ledger(root).trashed() == []
        await panel.delete("001")
        trash = panel._list._trash
        trash.button.click()
        (line,) = trash.box.children
        line.children[-1].click()
        await until(lambda: "001" in rows(panel))
        assert trash.box.children == () and trash.button.layout.display == "none"

    asyncio.run(main())


def test_the_preset_of_a_run_is_taken(root: Path) -> None:
    async def main() -> None:
        page, panel = shown(root)
        await panel.use("002")
        assert page.workspace.preset.wolfe_c1_constant == 0.25 and page.workspace.name == "from-run-002"
        await panel.use("003")
        assert page.workspace.name == "from-run-002" and page._bottom._chips.children

    asyncio.run(main())


def test_a_run_is_exported_into_its_folder(root: Path) -> None:
    async def main() -> None:
        _, panel = shown(root)
        part = panel._export
        await part.load()
        await panel.refresh()
        panel._choose("002")
        assert part._format.value and not part._button.disabled
        assert "png" in part._format.options
        part._format.value = "png"
        assert "PNG pictures" in part._about.value
        await part.export_run()
        files = sorted((root / "runs" / "002" / "export").glob("*.png"))
        assert files and all(file.name in part._written.value for file in files)
        assert "runs/002/export" in part._written.value and str(root) not in part._written.value
        assert np.asarray(Image.open(files[0])).std() > 0
        panel._choose("003")
        await part.export_run()
        assert "err" in part._written.value and not part._button.disabled

    asyncio.run(main())


def test_two_runs_are_compared(root: Path) -> None:
    found = compare(Ledger(root), "002", "001")
    (change,) = found.changes
    assert (change.name, change.before, change.after) == ("wolfe_c1_constant", "0.25", "0.5")
    assert table(found).index("0.25") < table(found).index("0.5<"), "A stands before B"
    assert found.shared and found.correlation is None and "too few rings" in found.problem


def test_a_comparison_on_the_page_and_one_that_cannot_be(root: Path) -> None:
    async def main() -> None:
        _, panel = shown(root)
        await panel.refresh()
        panel._choose("002")
        await panel.compare("001")
        told = "".join(getattr(child, "value", "") for child in panel._comparison.render().children)
        assert "0.25" in told and "Pictures of 15 × 14 px have too few rings" in told
        loss = panel._comparison._loss
        assert [list(line.x) for line in loss._data._lines] == [list(range(EPOCHS + 1))] * 2
        assert "B 001" in loss._data._names.text[1]
        # too small to be laid on each other, each is shown by itself
        pictures = panel._pictures
        assert [picture.frame.source.shape for picture in pictures._loose] == [(15, 14)] * 2
        assert "There is no A − B." in pictures._about.value and not pictures._linked
        assert [rows(panel)[run]._letter.value for run in ("002", "001")] == ["<b>A</b>", "<b>B</b>"]
        assert panel._runs.words == "3 runs, comparing 2"
        await panel.compare("003")
        assert "err" in panel._comparison.render().children[-1].value

    asyncio.run(main())


def test_only_sequences_that_are_apart_share_nothing() -> None:
    even, odd, none = Preset(sequence=np.arange(0, 10, 2)), Preset(sequence=np.arange(1, 10, 2)), Preset()
    assert not share_patterns(even, odd)
    assert share_patterns(even, none) and share_patterns(none, none) and share_patterns(even, even)


def test_older_runs_are_a_click_away() -> None:
    def nothing(_run: str) -> None:
        return None

    ledger = LedgerList(Deeds(nothing, nothing, nothing, nothing, lambda: None))
    ledger.show([Entry(f"{n:03d}", Path(f"{n:03d}"), state="finished") for n in range(1, AT_ONCE + 6)])
    assert (
        len(ledger.shown) == AT_ONCE
        and ledger._more in ledger._body.children
        and next(iter(ledger._rows)) == f"{AT_ONCE + 5:03d}"
    )
    ledger._more.click()
    assert len(ledger.shown) == AT_ONCE + 5 and ledger._more not in ledger._body.children


def test_rows_show_a_picture_and_what_is_other_than_before(root: Path) -> None:
    async def main() -> None:
        _, panel = shown(root)
        panel.enter()
        await until(lambda: "001" in rows(panel) and "<img" in rows(panel)["001"]._picture.value)
        first, second = rows(panel)["001"], rows(panel)["002"]
        assert "Object phase of run 002" in second._picture.value
        assert "0.25" in second._cells.value and "0.5 → 0.25" in second._cells.value
        assert "<img" not in rows(panel)["003"]._picture.value
        panel._choose("002")
        panel._list._against.value = CHOSEN
        await until(lambda: "0.25 → 0.5" in first._cells.value)
        assert "→" not in second._cells.value, "a run differs from itself in nothing"

    asyncio.run(main())


def test_names_and_notes_are_written_from_the_page(root: Path) -> None:
    async def main() -> None:
        _, panel = shown(root)
        await panel.refresh()
        panel._choose("001")
        panel._chosen._name.value = "<b>gold"
        panel._chosen._note.value = "C10 off"
        await until(lambda: Ledger(root).entry("001").note == "C10 off" and "&lt;b&gt;gold" in rows(panel)["001"]._cells.value)
        assert Ledger(root).entry("001").name == "<b>gold"
        panel._choose("002")
        assert panel._chosen._name.value == panel._chosen._note.value == "" and Ledger(root).entry("002").name == ""

    asyncio.run(main())


def test_an_earlier_run_is_drawn_under_the_live_loss(root: Path) -> None:
    async def main() -> None:
        page, panel = shown(root)
        await panel.refresh()
        page._quarters.render()
        loss = page._quarters.shown[3]
        assert [key for _, key in loss._beside.options] == ["", "002", "001"]
        loss._beside.value = "001"
        await until(lambda: loss._other is not None)
        assert loss._other.name == "001" and len(loss._other.epochs) == EPOCHS + 1
        shutil.rmtree(root / "runs" / "002")
        await panel.refresh()
        assert loss._beside.value == "001" and loss._other is not None, "it stays while others go"
        loss._beside.value = ""
        assert loss._other is None

    asyncio.run(main())


def test_what_is_said_of_runs_with_other_pixels(root: Path) -> None:
    preset = _tiny().copy()
    preset.update(pixel_size_x_A=0.5, epoch_max=1, output_folder=str(root / "runs" / "004"))
    run_ptychography(preset)
    assert "The pixels differ: 0.3 × 0.3 Å and 0.3 × 0.5 Å, so that there is no A − B." in said(
        compare(Ledger(root), "001", "004")
    )
