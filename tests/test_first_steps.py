"""Steps 1 to 3 without a browser: bad pixels, Confirm while a file is read anew, Accept and its undo, the readings."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pypty_nb.data.preprocess import repair
from pypty_nb.widgets import app
from pypty_nb.widgets.panels.calibrate import radii_in_words
from pypty_nb.workspace import Workspace, bad_pixels
from tests.real_data import measured

HOT, DEAD = (3, 4), (15, 17)


def spoilt() -> np.ndarray:
    """(5, 6, 32, 30) counts of a wide disc, one pixel always far too bright and one never lit."""
    y, x = np.indices((32, 30))
    light = np.where(np.hypot(y - 15, x - 14) < 9, 40.0, 1.0)
    data = np.random.default_rng(5).poisson(light, (5, 6, 32, 30)).astype(np.uint16)
    data[..., HOT[0], HOT[1]], data[..., DEAD[0], DEAD[1]] = 3000, 0
    return data


async def until(true: Callable[[], object]) -> None:
    for _ in range(2400):
        if true():
            return
        await asyncio.sleep(0.025)
    raise AssertionError("it did not happen within a minute")


async def opened(root: Path, name: str = "scan.npy"):
    """The page with a file open and its bad pixels looked for."""
    page = app(root)
    data = page._data
    await data._open(Path(name))
    await until(lambda: data._look.searched)
    return page, data


def test_found_shown_and_left_out_by_confirm(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", spoilt())

    async def main() -> None:
        page, data = await opened(tmp_path)
        assert (data._look.bad.hot, data._look.bad.dead) == ((HOT,), (DEAD,))
        part = data._bad
        assert "(y 3, x 4)" in part._count.value and "(y 15, x 17)" in part._count.value
        drawn = data._look._pixels._overlay
        assert np.array_equal(drawn.hot, [[3.5, 4.5]]) and np.array_equal(drawn.dead, [[15.5, 17.5]])
        assert part._how.value is None and "Confirm leaves them out" in part._says.value
        data._proposal._confirm.click()
        preset = page.workspace.preset
        assert preset.bad_pixels.tolist() == [list(HOT), list(DEAD)] and page.workspace.opened.confirmed
        assert part._how.value == "mask" and "2 pixels left out" in part._says.value
        part._how.value = "keep"
        assert preset.bad_pixels is None and bad_pixels.chosen(page.workspace) == "keep"
        assert "hot ones spoil" in part._says.value
        page._go_back(forth=False)
        assert len(preset.bad_pixels) == 2 and part._how.value == "mask"

    asyncio.run(main())


def test_replaced_in_a_copy(tmp_path: Path) -> None:
    data = spoilt()
    np.save(tmp_path / "scan.npy", data)

    async def main() -> None:
        page, panel = await opened(tmp_path)
        page.workspace.use_axes("scan_y, scan_x, -ky, kx")
        page.workspace.confirm({"scan_size": (5, 6)})
        panel._bad._replace.click()
        await until(lambda: page.workspace.preset.data_path.endswith("scan_repaired.h5") and not panel.reading)
        preset = page.workspace.preset
        assert panel.error == "" and preset.bad_pixels is None and preset.data_axes == ""
        assert preset.scan_size == (5, 6) and page.workspace.opened.confirmed
        with h5py.File(tmp_path / "scan_repaired.h5") as file:
            written = file["data"][:]
        # as stated the detector is upside down
        source = data.reshape(30, 32, 30)[:, ::-1]
        around = source[:, 31 - 3 - 1 : 31 - 3 + 2, 3:6].sum(axis=(1, 2), dtype=float) - 3000
        np.testing.assert_allclose(written[:, 31 - 3, 4], around / 8, rtol=1e-6)
        other = np.ones((32, 30), bool)
        other[31 - 3, 4] = other[31 - 15, 17] = False
        assert np.array_equal(written[:, other], source[:, other])
        assert (tmp_path / "scan.npy").stat().st_size == data.nbytes + 128, "the file itself is as it was"
        await until(lambda: panel._look.searched and panel._look.bad.places is None)
        assert "No hot or dead pixels" in panel._bad._count.value

    asyncio.run(main())


def test_data_in_memory_have_no_copy(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, lambda state: None, lambda report: None)
    workspace.use_demo()
    assert not bad_pixels.can_replace(workspace.preset)
    with pytest.raises(ValueError, match="only in a file"):
        bad_pixels.replaced(workspace, lambda done, of: None)


def test_means_of_few_counts_are_no_whole_numbers() -> None:
    patterns = np.zeros((1, 5, 5), np.uint8)
    patterns[0, 1, 1] = patterns[0, 1, 2] = 1
    bad = np.zeros((5, 5), bool)
    bad[2, 2] = True
    assert repair(patterns, bad)[0, 2, 2] == pytest.approx(2 / 8)


def test_a_person_who_keeps_them_is_heard_by_the_calibration(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", spoilt())

    async def main() -> None:
        page, data = await opened(tmp_path)
        data._proposal._confirm.click()
        data._bad._how.value = "keep"
        page.open_step(1)
        measuring = page._panels[1].panel._measuring
        beyond = {"acc_voltage": 300.0, "scan_step_A": 1.0, "rez_pixel_size_mrad": 1.0, "PLRotation_deg": 0.0, "defocus": 0.0}
        measuring.stated.update(beyond)
        await measuring.measure()
        assert measuring.found.values["bad_pixels"].source == "every pixel is compared"
        measuring.accept()
        assert page.workspace.preset.bad_pixels is None and measuring.accepted

    asyncio.run(main())


def test_confirm_while_the_file_is_read_with_other_axes_is_remembered(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", spoilt())

    async def main() -> None:
        page, data = await opened(tmp_path)
        proposal = data._proposal
        reverse = proposal._order.children[2].children[2]
        reverse.value = True
        assert proposal.layout.display == "" and "Reading the file with these axes" in proposal._mark.value
        # what came from the browser before it knew
        proposal._confirm.click()
        assert "Confirmed once it is read" in proposal._mark.value and not page.workspace.opened.confirmed
        await until(lambda: page.workspace.opened.confirmed)
        assert page.workspace.preset.data_axes == "scan_y, scan_x, -ky, kx" and page.workspace.preset.scan_size == (5, 6)
        await until(lambda: data._look.searched)
        assert "Confirmed." in proposal._mark.value and page.workspace.opened.confirmed

    asyncio.run(main())


def test_confirm_while_another_file_is_opened_does_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", spoilt())
    np.save(tmp_path / "other.npy", spoilt()[:2])

    async def main() -> None:
        page, data = await opened(tmp_path)
        opening = asyncio.create_task(data._open(Path("other.npy")))
        await until(lambda: data.reading or opening.done())
        data._proposal._confirm.click()
        await opening
        await until(lambda: data._look.searched)
        assert not page.workspace.opened.confirmed
        assert (data._proposal._rows.value, data._proposal._columns.value) == (2, 6)

    asyncio.run(main())


@pytest.mark.real_data
def test_accept_is_answered_and_taken_back(tmp_path: Path) -> None:
    """On the measured scan: stages are told, the values named, Undo opens Accept again; the chosen reading says why."""
    source = measured("rotavirus_4dstem/dev_44x52_bin2_128.h5")
    shutil.copy(source, tmp_path)
    told: list[str] = []

    async def main() -> None:
        page = app(tmp_path)
        await page._data._open(Path(source.name))
        await until(lambda: page._data._look.searched)
        page._data._proposal._confirm.click()
        page.open_step(1)
        calibrate = page._panels[1].panel
        page.open_step(2)
        orient, measuring = page._panels[2].panel, calibrate._measuring
        show = measuring._show_stage
        measuring._show_stage = lambda name: (told.append(name), show(name))
        await measuring.measure()
        assert told[:3] == ["bad pixels", "mean pattern", "survey"]
        # edited after it was measured: no business of Accept
        page.workspace.preset.update(epoch_max=9)
        before = page.workspace.preset.frozen()
        first, second = measuring._sets
        assert first.accept.description == "Accept" and not first.accept.disabled
        first.accept.click()
        assert "Taken into the preset" in first.said.value == second.said.value
        assert "C10" in first.said.value and "Undo, or Ctrl+Z" in first.said.value
        assert first.accept.description == "Accepted" and first.accept.disabled and first.undo.layout.display is None
        assert page.workspace.preset.epoch_max == 9
        page.workspace.preset.update(epoch_max=7)
        measuring.show(page._moment())
        assert measuring.accepted and "Ctrl+Z" not in first.said.value and second.undo.layout.display == "none"
        page._go_back(forth=False)
        second.undo.click()
        assert page.workspace.preset == before
        assert not first.accept.disabled and "Taken back" in first.said.value
        first.accept.click()
        page._go_back(forth=False)
        assert "differs from what was measured" in first.said.value and not first.accept.disabled
        said = radii_in_words(measuring.found)
        assert "measured: edge" in said and "stated: semi-angle 1.030 mrad" in said and "agree within" in said
        await until(lambda: len(orient._tiles.children) == 8)
        chosen = [tile for tile in orient._tiles.children if "cur" in tile._dom_classes]
        assert len(chosen) == 1 and "shadow images, 180° clear" in chosen[0].children[0].value
        assert "dense matter scatters beyond the disc" in orient._chosen.value
        words: list[str] = []
        orient._under_way.show = lambda *given: words.append(given[0])
        orient._pick("as read")
        await until(lambda: "by you" in "".join(tile.children[0].value for tile in orient._tiles.children))
        assert words[0] == "Trying as read, 1 of 8" and len(words) == 8 and words[-1].endswith("8 of 8")
        assert orient._under_way.layout.display == "none"

    asyncio.run(main())


def test_what_is_known_stands_in_for_what_no_file_says(tmp_path: Path) -> None:
    """Scattered points and no microscope: the voltage, though it is the default's, the pixel and C10 are typed."""
    random = np.random.default_rng(3)
    places = random.uniform(0, 40, (24, 2))
    with h5py.File(tmp_path / "scattered.h5", "w") as file:
        file["data"] = random.poisson(np.where(np.hypot(*(np.indices((32, 32)) - 16)) < 9, 40.0, 1.0), (24, 32, 32))
        file["positions_px"] = places
    np.save(tmp_path / "scan.npy", spoilt())

    async def main() -> None:
        page, data = await opened(tmp_path, "scattered.h5")
        data._proposal._confirm.click()
        page.open_step(1)
        panel = page._panels[1].panel
        measuring = panel._measuring
        await measuring.measure()
        assert "acc_voltage: neither the file nor you say" in measuring._words
        panel._voltage.value, panel._value.value = "60", "1.5"
        await measuring.measure()
        assert "C10 is measured on a raster only" in measuring._words
        panel._c10.value = "much"
        assert "C10: takes a number, got &#x27;much&#x27;" in panel._wrong.value and not measuring.stated
        panel._c10.value = "−250"
        assert measuring.stated == {"acc_voltage": 60.0, "rez_pixel_size_mrad": 1.5, "defocus": -250.0}
        panel._unit.value = "Å⁻¹"
        assert measuring.stated["rez_pixel_size_A"] == 1.5 and "rez_pixel_size_mrad" not in measuring.stated
        panel._unit.value = "px, disc radius"
        assert "needs the semi-angle" in panel._wrong.value and not measuring.stated
        panel._unit.value = "mrad"
        await measuring.measure()
        page.open_step(2)
        orient = page._panels[2].panel
        orient.show(page._moment())
        assert "what the file and you state is taken" in orient._empty.value and orient._foot.layout.display == "none"
        measuring.accept()
        preset = page.workspace.preset
        assert preset.acc_voltage == 60 and preset.extra_probe_defocus == -250
        # a quarter of the pattern is padded on each side, so that the object's pixel is two thirds of what it was
        assert np.allclose(np.diff(preset.positions, axis=0), 1.5 * np.diff(places, axis=0))
        await data._open(Path("scan.npy"))
        await until(lambda: not measuring.stated)
        assert not any(field.value for field in panel._known)

    asyncio.run(main())
