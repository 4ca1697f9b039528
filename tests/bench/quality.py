"""How close reconstructions come to the truth: ``python -m tests.bench.quality FOLDER [S] [M] [noisy] [jitter]``.

FOLDER holds the two benchmark problems' generator, ``make_data.py``, and score, ``phase_rmse.py``; both are run from there.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pypty_nb import Preset, Reconstruction
from tests.bench.scores import Field, jitter

EPOCHS = (10, 20, 30, 50, 75, 100, 150, 200)
JITTER_PX = 1.0


class Problem:
    """One data set of the benchmark, with its truth."""

    def __init__(self, folder: Path, name: str, noise: str, score: ModuleType):
        self.name, self._score = name, score
        self.truth = np.load(folder / f"{name}_meta.npz")
        self.data = np.load(folder / f"{name}_{noise}.npy")

    def preset(self, start: str, **settings: Any) -> Preset:
        """The benchmark's start, a flat object and a probe 20 Å out of focus, with the settings of the named start."""
        truth, pixel = self.truth, float(self.truth["dx"])
        slices = len(truth["obj"])
        preset = Preset.named(start)
        preset.update(
            dataset=self.data, positions=truth["pos"], probe=np.moveaxis(truth["probe_init"], 0, -1),
            obj=np.ones((1, 1, slices, 1)), num_slices=slices, slice_distances=[float(truth["dz"]) or 1.0],
            pixel_size_x_A=pixel, pixel_size_y_A=pixel, acc_voltage=80.0, compute_batch="auto", **settings,
        )  # fmt: skip
        return preset

    def jittered(self, **settings: Any) -> Preset:
        """The same with positions that are wrong by `JITTER_PX` along each axis, and refined from epoch 10."""
        preset = self.preset("default", update_probe_pos="lambda x: x >= 10", **settings)
        preset.positions = preset.positions + JITTER_PX * np.random.default_rng(5).standard_normal(preset.positions.shape)
        return preset

    def rmse(self, obj: np.ndarray, positions: np.ndarray) -> float:
        """Phase error against the truth, rad: registered, plane and offset removed, the field's central part."""
        off = tuple(np.round(positions[0] - self.truth["pos"][0]).astype(int))
        planes = np.moveaxis(obj[..., 0], 2, 0)
        return self._score.phase_rmse(planes, self.truth["obj"], self.truth["pos"], self.data.shape[-1], off=off)[0]

    def likeness(self, obj: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Correlation of the phase of every true slice with every found one."""
        right = np.moveaxis(self.truth["obj"], 0, 2)[..., None]
        return Field(right, self.truth["pos"], self.data.shape[-1]).likeness(obj, positions)


@contextmanager
def benchmark(folder: Path, names: tuple[str, ...]) -> Iterator[dict[str, Problem]]:
    """The problems `names`, for instance ``"S clean"``, made by the generator in `folder`."""
    spec = importlib.util.spec_from_file_location("phase_rmse", folder / "phase_rmse.py")
    assert spec is not None and spec.loader is not None
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, str(folder / "make_data.py"), made], check=True, stdout=subprocess.DEVNULL)
        yield {name: Problem(Path(made), *name.split(), score) for name in names}


def follow(problem: Problem, title: str, preset: Preset) -> None:
    """Print a line at each of `EPOCHS`: epoch, evaluations, phase error, error of the positions; last, the slices' likeness."""
    evaluations = 0
    for report in Reconstruction(preset):
        evaluations += report.evaluations
        if report.final or report.epoch + 1 in EPOCHS:
            done = report.epoch if report.final else report.epoch + 1
            error = problem.rmse(report.point.obj, report.point.positions)
            moved = jitter(report.point.positions, problem.truth["pos"])
            print(f"| {title} | {done} | {evaluations} | {error:.4f} | {moved:.3f} | {report.seconds:.0f} |", flush=True)
    likeness = problem.likeness(report.point.obj, report.point.positions)
    if len(likeness) > 1:
        print(f"\n{title}: correlation of true slices (rows) with found ones (columns)\n{np.round(likeness, 2)}\n", flush=True)


def main() -> None:
    folder, chosen = Path(sys.argv[1]).resolve(), set(sys.argv[2:]) or {"S", "M", "noisy", "jitter"}
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print("| problem | epoch | evaluations | phase error, rad | positions, px | s |\n| --- | --- | --- | --- | --- | --- |")
    with benchmark(folder, ("S clean", "S poisson", "M clean")) as problems:
        clean, poisson, thick = problems.values()
        if "S" in chosen:
            for seeded in ("illumination", "none"):
                follow(clean, f"S clean, {seeded}", clean.preset("default", epoch_max=200, preconditioner=seeded))
        if "M" in chosen:
            for seeded in ("illumination", "none"):
                follow(thick, f"M clean, {seeded}", thick.preset("default", epoch_max=100, preconditioner=seeded))
        if "noisy" in chosen:
            follow(poisson, "S Poisson, noisy", poisson.preset("noisy", epoch_max=200))
            follow(poisson, "S Poisson, default", poisson.preset("default", epoch_max=200))
        if "jitter" in chosen:
            follow(clean, "S clean, 1 px jitter", clean.jittered(epoch_max=100))


if __name__ == "__main__":
    main()
