"""The Results step without a browser: what its rows say, and that its buttons do what they say to real runs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pypty_nb import Preset, run_ptychography
from pypty_nb.widgets import app
from pypty_nb.widgets.panels.compare import pair, share_patterns, table
from pypty_nb.widgets.panels.ledger import AT_ONCE, NO_RUNS, Deeds, LedgerList, cells
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
    return page, page._results


def rows(panel) -> dict[str, object]:
    return panel._list._rows


def test_rows_newest_first_and_broken_ones_say_why(root: Path) -> None:
    async def main() -> None:
        page, panel = shown(root)
        await panel.refresh()
        assert list(rows(panel)) == ["003", "002", "001"]
        body = panel._list._body.children
        assert [row.widget for row in rows(panel).values()] == list(body)
        assert "broken: it has no params.json" in rows(panel)["003"]._cells.value
        assert "finished" in rows(panel)["002"]._cells.value and f">{EPOCHS}<" in rows(panel)["002"]._cells.value
        assert rows(panel)["003"]._use.disabled and not rows(panel)["002"]._use.disabled
        await panel.refresh()
        assert panel._list._body.children == body, "rows are kept"
        assert page._run_words(page.workspace.runner.state) == "3 runs"

    asyncio.run(main())


def test_an_empty_project_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        _, panel = shown(tmp_path)
        await panel.refresh()
        assert panel._list._body.children[0].value == NO_RUNS
        assert panel._export_run.disabled

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
        row = rows(panel)["001"]
        row._delete.click()
        await asyncio.sleep(0.2)
        assert (root / "runs" / "001").is_dir() and row._delete.description == "Really delete"
        row._keep.click()
        assert row._delete.description == "Delete"
        row._delete.click()
        row._delete.click()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if "001" not in rows(panel):
                break
        assert not (root / "runs" / "001").exists() and list(rows(panel)) == ["003", "002"]
        (kept,) = Ledger(root).trashed()
        assert Ledger(root).restore(kept) == "001"

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
        await panel._load_formats()
        await panel.refresh()
        panel._choose("002")
        assert panel._format.value and not panel._export_run.disabled
        assert "png" in panel._format.options
        panel._format.value = "png"
        assert "PNG pictures" in panel._about.value
        await panel.export_run()
        files = sorted((root / "runs" / "002" / "export").glob("*.png"))
        assert files and all(file.name in panel._written.value for file in files)
        assert "runs/002/export" in panel._written.value and str(root) not in panel._written.value
        assert np.asarray(Image.open(files[0])).std() > 0
        panel._choose("003")
        await panel.export_run()
        assert "err" in panel._written.value and not panel._export_run.disabled

    asyncio.run(main())


def test_two_runs_are_compared(root: Path) -> None:
    found = pair(Ledger(root), "002", "001")
    (change,) = found.changes
    assert (change.name, change.before, change.after) == ("wolfe_c1_constant", "0.5", "0.25")
    assert table(found).index("0.25") < table(found).index("0.5<"), "A stands before B"
    assert found.shared and found.correlation is None and "too few rings" in found.problem


def test_a_comparison_on_the_page_and_one_that_cannot_be(root: Path) -> None:
    async def main() -> None:
        _, panel = shown(root)
        await panel.refresh()
        panel._choose("002")
        await panel.compare("001")
        said = "".join(getattr(child, "value", "") for child in panel._comparison.render().children)
        assert "0.25" in said and "Pictures of 15 × 14 px have too few rings" in said
        assert [rows(panel)[run]._letter.value for run in ("002", "001")] == ["<b>A</b>", "<b>B</b>"]
        assert panel.words == "3 runs, comparing 2"
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

    ledger = LedgerList(Deeds(nothing, nothing, nothing, nothing))
    ledger.show([Entry(f"{n:03d}", Path(f"{n:03d}"), state="finished") for n in range(1, AT_ONCE + 6)])
    assert len(ledger._body.children) == AT_ONCE + 1 and next(iter(ledger._rows)) == f"{AT_ONCE + 5:03d}"
    ledger._more.click()
    assert len(ledger._body.children) == AT_ONCE + 5
