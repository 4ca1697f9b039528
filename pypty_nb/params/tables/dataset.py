"""Dataset."""

from __future__ import annotations

from pypty_nb.params.fields import Array, Axes, Boolean, Integer, Number, Numbers, Path
from pypty_nb.params.tables.base import Table


class Dataset(Table):
    """The measurements, and what is done to each pattern as it is read."""

    title = "Dataset"

    data_path = Path(
        "",
        level="basic",
        label="Data file",
        doc="File with the measured patterns: an HDF5 file whose dataset `data` has the axes (pattern, ky, kx), or a "
        "NumPy file with three or four axes. Empty where the patterns are given as an array.",
    )
    dataset = Array(
        None,
        shapes=("pattern, ky, kx", "scan_y, scan_x, ky, kx", "pattern, detector"),
        unit="counts",
        label="Data array",
        doc="The measured patterns as an array; it wins over the data file. With virtual detectors it holds one row "
        "of signals for every pattern. Integers stay integers.",
    )
    data_axes = Axes(
        "",
        label="Axes of the data file",
        doc="What the axes of the array in the data file are, in its order, where the file does not say or says it wrong, such "
        "as ky, kx, scan_y, scan_x. A minus before a name reverses that axis. Empty takes what the file proposes. The original "
        "has no such setting.",
    )
    masks = Array(
        None,
        shapes=("detector, ky, kx",),
        label="Virtual detectors",
        doc="Weights that sum a pattern to one signal for each virtual detector. None compares whole patterns; with "
        "masks the loss must be one of the compressed ones.",
    )
    data_multiplier = Number(
        1.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        label="Multiplier",
        doc="Factor on every pattern as it is read, for instance counts for each detector unit. A larger value raises "
        "the measured counts, and with them the loss.",
    )
    data_pad = Integer(
        0,
        bounds=(0, None),
        unit="px",
        level="basic",
        label="Pad pattern",
        doc="Pixels added on each side of the upsampled pattern. A larger value refines the reconstruction's pixel "
        "and costs time; a quarter of the pattern's width avoids aliasing in the far field.",
    )
    data_bin = Integer(
        1,
        bounds=(1, None),
        unit="px",
        level="basic",
        label="Bin pattern",
        doc="Sums blocks of this many pixels along ky and kx to one; a remainder is cut off. A larger value saves "
        "memory and shrinks the field that the probe may fill.",
    )
    flip_ky = Boolean(
        False,
        level="basic",
        label="Flip ky",
        doc="Reverses every pattern along ky as it is read, for detectors whose rows run the other way. The file "
        "stays as it is.",
    )
    data_shift_vector = Numbers(
        (0, 0),
        integer=True,
        unit="px",
        label="Shift pattern",
        doc="Moves every pattern by [y, x] pixels towards larger index; what would wrap in from the other side is "
        "zero. Use it to centre patterns without writing the file anew.",
    )
    bad_pixels = Array(
        None,
        shapes=("pixel, 2",),
        kind="integer",
        unit="px",
        label="Bad pixels",
        doc="Pixels of the detector, [y, x] in the data as they are read, that are left out of the comparison, whatever they "
        "hold: hot, dead or hidden ones. A binned pixel with one of them in it is left out too. None compares all. The "
        "original has no such setting.",
    )
    upsample_pattern = Integer(
        1,
        bounds=(1, None),
        label="Upsample pattern",
        doc="Number of model pixels along ky and kx for one measured pixel, for beams larger than the field that a "
        "pattern spans. A larger value widens that field and costs time; it usually needs a probe window as well.",
    )
    sequence = Array(
        None,
        shapes=("index",),
        kind="integer",
        schedulable=True,
        label="Pattern sequence",
        doc="Indices of the patterns that take part, counted from 0; their order does not matter. None takes all. A "
        "function of the epoch may choose others every time; constraints on the scan grid see every position "
        "anyway.",
    )
    use_full_FOV = Boolean(
        True,
        label="Full field of view",
        doc="Where a sequence is given: true makes the object large enough for all positions, false only for those chosen.",
    )
    use_padded_intensity = Boolean(
        True,
        label="Compare padding",
        doc="True compares model and data over the padded area too, the padding counting as measured zero. False "
        "crops the model to the measured pixels, which leaves the intensity beyond the detector free.",
    )
    scan_step_A = Number(
        None,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        words=(None,),
        unit="Å",
        label="Scan step",
        doc="Distance between neighbouring scan points. Its inverse is the lattice on which the penalty on probe "
        "modulation acts, so a larger step makes that lattice finer.",
    )
