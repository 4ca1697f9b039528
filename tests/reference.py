"""The forward model and the losses written out once more, a pattern and a wave at a time, with NumPy alone and nothing shared.

The program's stages are made to be fast and to be read backwards; this is made to be compared with the equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_SIGMA = 1 / (2 - 2 ** (1 / 3))
#: mc² in eV and hc in eV Å, CODATA 2022; those of SciPy may differ in the tenth digit.
_EV_REST = 510998.95069
_HC = 12398.419843320026
#: (n, m) and whether the sine belongs to it, in the order of the coefficients.
_KRIVANEK = [(1, 0, 0), (1, 2, 0), (1, 2, 1), (2, 1, 0), (2, 1, 1), (2, 3, 0), (2, 3, 1), (3, 0, 0)]


def wavelength(kilovolts: float) -> float:
    """Å, from the relativistic momentum: λ = hc/√(E(E + 2mc²))."""
    energy = 1000 * kilovolts
    return _HC / np.sqrt(energy * (energy + 2 * _EV_REST))


class Reference:
    """What a preset's arrays give; `settings` as the engine takes them, every array given."""

    def __init__(self, settings: dict[str, Any]):
        self.given = settings
        self.ny, self.nx = settings["probe"].shape[:2]
        self.dy, self.dx = settings["pixel_size_y_A"], settings["pixel_size_x_A"]
        self.wavelength = wavelength(settings["acc_voltage"])
        self.qy, self.qx = np.fft.fftfreq(self.ny, self.dy)[:, None], np.fft.fftfreq(self.nx, self.dx)[None, :]
        self.q2 = self.qy**2 + self.qx**2
        self.band = self._band()
        self.y, self.x = (np.arange(self.ny) - self.ny // 2)[:, None] * self.dy, (np.arange(self.nx) - self.nx // 2) * self.dx

    def get(self, name: str, default: Any) -> Any:
        return self.given.get(name, default)

    def _band(self) -> np.ndarray:
        cutoff, rolloff = self.get("damping_cutoff_multislice", 2 / 3), self.get("smooth_rolloff", 0.0)
        most = (self.nx // 2 - 1 if self.nx % 2 == 0 else self.nx // 2) / (self.nx * self.dx)
        last = (cutoff * most) ** 2
        inside = self.q2 <= last * (1 + 1e-9)
        if not rolloff:
            return inside.astype(float)
        first = (max(cutoff - rolloff, 0) * most) ** 2
        fall = 0.5 * (1 + np.cos(np.pi * (self.q2 - first) / (last - first)))
        return np.where(inside, np.where(self.q2 < first, 1.0, fall), 0.0)

    def limited(self, wave: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(np.fft.fft2(wave) * self.band)

    def propagated(self, wave: np.ndarray, distance: float, tilt: np.ndarray) -> np.ndarray:
        bend = self.wavelength * self.q2 + 2 * (self.qy * tilt[0] + self.qx * tilt[1])
        return np.fft.ifft2(np.fft.fft2(wave) * np.exp(-1j * np.pi * distance * bend) * self.band)

    def ramp(self, tilt: np.ndarray) -> np.ndarray:
        return np.exp(2j * np.pi * (self.y * tilt[0] + self.x * tilt[1]) / self.wavelength)

    def tilts(self, pattern: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Before, inside and after, each zero in the modes in which it does not act."""
        given, mode = self.given["tilts"], self.get("tilt_mode", 0)
        row = given[pattern if len(given) > 1 else 0]
        before, inside, after = row[0:2] * (mode in (2, 4)), row[2:4] * (mode in (0, 3, 4)), row[4:6] * (mode in (1, 3, 4))
        return before, inside, after

    def illumination(self, pattern: int, mode: int) -> np.ndarray:
        probe, marker = self.given["probe"], self.get("probe_marker", None)
        wave = probe[:, :, mode] if probe.ndim == 3 else probe[:, :, mode, marker[pattern]]
        if (current := self.get("beam_current", None)) is not None:
            wave = wave * abs(current[pattern])
        spectrum = np.fft.fft2(wave)
        if (plates := self.get("plates", None)) is not None:
            spectrum = spectrum * plates[pattern]
        rows, which = np.asarray(self.get("aberrations_array", [[0.0]])), self.get("aberration_marker", None)
        spectrum = spectrum * np.exp(-1j * self.chi(rows[0 if which is None else which[pattern]]))
        before = self.tilts(pattern)[0]
        wave = np.fft.ifft2(spectrum) * self.ramp(before)
        y, x = self.given["positions"][pattern]
        shift = self.qy * self.dy * (y - round(y)) + self.qx * self.dx * (x - round(x))
        return np.fft.ifft2(np.fft.fft2(wave) * np.exp(-2j * np.pi * shift) * self.band)

    def chi(self, coefficients: np.ndarray) -> np.ndarray:
        angle, azimuth = self.wavelength * np.sqrt(self.q2), np.arctan2(self.qy, self.qx)
        out = np.zeros((self.ny, self.nx))
        for value, (n, m, sine) in zip(coefficients, _KRIVANEK, strict=False):
            out += value * angle ** (n + 1) / (n + 1) * (np.sin(m * azimuth) if sine else np.cos(m * azimuth))
        return out * 2 * np.pi / self.wavelength

    def slices(self, pattern: int, state: int) -> list[np.ndarray]:
        y, x = (round(value) for value in self.given["positions"][pattern])
        patch = self.given["obj"][y : y + self.ny, x : x + self.nx, :, state]
        parts = [patch[:, :, s] for s in range(patch.shape[2])]
        return [self.limited(part) for part in parts] if self.get("patch_band_limit", True) else parts

    def exit_wave(self, pattern: int, mode: int, state: int) -> np.ndarray:
        wave, slices, method = (
            self.illumination(pattern, mode),
            self.slices(pattern, state),
            self.get("propmethod", "multislice"),
        )
        _, inside, after = self.tilts(pattern)
        step = {"multislice": self._multislice, "better_multislice": self._better, "yoshida": self._yoshida}[method]
        for s, slice_ in enumerate(slices):
            if method != "multislice" and s:
                wave = self.limited(wave)
            wave = step(wave, slice_, self.distance(s if method != "multislice" else s - 1, s), inside)
        if self.get("tilt_mode", 0) in (1, 3, 4):
            wave = self.limited(wave) if len(slices) == 1 and method == "multislice" else wave
            wave = wave * self.ramp(after)
        return wave

    def distance(self, gap: int, s: int) -> float:
        distances = self.given["slice_distances"]
        if gap < 0:
            return 0.0
        return distances[gap] if len(distances) > 1 else distances[0]

    def _multislice(self, wave: np.ndarray, t: np.ndarray, d: float, tilt: np.ndarray) -> np.ndarray:
        return t * (self.propagated(wave, d, tilt) if d else wave)

    def _better(self, wave: np.ndarray, t: np.ndarray, d: float, tilt: np.ndarray) -> np.ndarray:
        half, whole = (lambda psi: self.propagated(psi, d / 2, tilt)), (lambda psi: self.propagated(psi, d, tilt))
        root = self.limited(np.sqrt(t))
        two = half(root * half(root * wave)) + root * half(root * half(wave))
        return 2 / 3 * two - 1 / 6 * (t * whole(wave) + whole(t * wave))

    def _yoshida(self, wave: np.ndarray, t: np.ndarray, d: float, tilt: np.ndarray) -> np.ndarray:
        outer, inner = self.limited(t ** (_SIGMA / 2)), self.limited(t ** ((1 - _SIGMA) / 2))
        wave = inner * self.propagated(outer * wave, _SIGMA * d, tilt)
        wave = inner * self.propagated(wave, (1 - 2 * _SIGMA) * d, tilt)
        return outer * self.propagated(wave, _SIGMA * d, tilt)

    def intensity(self, pattern: int) -> np.ndarray:
        """On the computed grid, centred."""
        modes, states = self.given["probe"].shape[2], self.given["obj"].shape[3]
        waves = [self.exit_wave(pattern, m, o) for m in range(modes) for o in range(states)]
        if self.get("recon_type", "far_field") == "far_field":
            return np.fft.fftshift(np.mean([np.abs(np.fft.fft2(wave) * self.band) ** 2 for wave in waves], axis=0))
        defoci = self.given["defocus_array"]
        defocus, inside = defoci[pattern if len(defoci) > 1 else 0], self.tilts(pattern)[1]
        bend = (self.wavelength * self.q2 + 2 * (self.qy * inside[0] + self.qx * inside[1])) * defocus
        kernel = np.exp(-1j * np.pi * (bend + 0.5 * self.get("Cs", 0.0) * self.wavelength**3 * self.q2**2)) * self.band
        found = np.mean([np.abs(np.fft.ifft2(np.fft.fft2(wave) * kernel)) ** 2 for wave in waves], axis=0)
        spread = np.exp(-self.q2 * (np.pi * self.get("alpha_near_field", 0.0) * defocus) ** 2)
        return np.fft.ifft2(np.fft.fft2(found) * spread).real

    def signal(self, pattern: int) -> np.ndarray:
        """What the detector says, centred."""
        found = self.measured(self.intensity(pattern), np.sum)
        root = np.asarray(self.get("static_background", 0.0))
        if root.ndim:
            band = self.band if self.get("recon_type", "far_field") == "near_field" else np.fft.fftshift(self.band)
            edge = (len(root) - len(found)) // 2
            seen = root[edge : edge + found.shape[0], edge : edge + found.shape[1]]
            found = found + seen**2 * self.measured(band, np.mean)
        masks = self.get("masks", None)
        return found if masks is None else np.array([(mask * found).sum() for mask in masks])

    def measured(self, computed: np.ndarray, together: Any) -> np.ndarray:
        pad, up = self.get("data_pad", 0), self.get("upsample_pattern", 1)
        if pad and not self.get("use_padded_intensity", True):
            computed = computed[pad:-pad, pad:-pad]
        ny, nx = computed.shape[0] // up, computed.shape[1] // up
        return np.array([
            [together(computed[up * y : up * (y + 1), up * x : up * (x + 1)]) for x in range(nx)] for y in range(ny)
        ])  # fmt: skip

    def data(self, pattern: int) -> np.ndarray:
        """The measured pattern as it is compared."""
        raw = np.asarray(self.given["dataset"][pattern], float)
        if self.get("masks", None) is not None:
            return raw
        raw = raw[::-1] if self.get("flip_ky", False) else raw
        moved = np.zeros_like(raw)
        sy, sx = self.get("data_shift_vector", (0, 0))
        for y, x in np.ndindex(*raw.shape):
            if 0 <= y - sy < raw.shape[0] and 0 <= x - sx < raw.shape[1]:
                moved[y, x] = raw[y - sy, x - sx]
        b = self.get("data_bin", 1)
        summed = np.zeros((raw.shape[0] // b, raw.shape[1] // b))
        for y, x in np.ndindex(*summed.shape):
            summed[y, x] = moved[b * y : b * (y + 1), b * x : b * (x + 1)].sum() * self.get("data_multiplier", 1)
        pad = self.get("data_pad", 0) // self.get("upsample_pattern", 1) * self.get("use_padded_intensity", True)
        return np.pad(summed, pad)

    def loss(self) -> tuple[float, float]:
        """The weighted loss and the squared error of all patterns."""
        count, losses, errors, values = len(self.given["dataset"]), 0.0, 0.0, 0
        for pattern in range(count):
            model, data = self.signal(pattern), self.data(pattern)
            losses += _LOSSES[self.get("algorithm", "lsq_sqrt")](model, data)
            errors += ((model - data) ** 2).sum()
            values += data.size
        weight = self.get("loss_weight", 1.0)
        return losses * {"mean": 1 / count, "mean_full": 1 / values}.get(weight, weight), errors


def _likelihood(model: np.ndarray, data: np.ndarray) -> float:
    lit = model > 0
    return model.sum() - (data[lit] * np.log(model[lit])).sum()


def _amplitudes(model: np.ndarray, data: np.ndarray) -> float:
    return ((np.sqrt(model) - np.sqrt(data)) ** 2).sum()


def _weighted(model: np.ndarray, data: np.ndarray) -> float:
    bright = data > 0.5
    return ((model[bright] - data[bright]) ** 2 / data[bright]).sum() / 2 + model[~bright].sum()


def _squares(model: np.ndarray, data: np.ndarray) -> float:
    return ((model - data) ** 2).sum()


_LOSSES = {
    "lsq_sqrt": _amplitudes,
    "gauss_compressed": _amplitudes,
    "ml": _likelihood,
    "poisson_compressed": _likelihood,
    "lsq": _squares,
    "lsq_compressed": _squares,
    "lsq_sqrt_2": _weighted,
}
