"""The tables against the customer's document, whose rows are typed in here."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from pypty_nb.params.errors import ParameterError
from pypty_nb.params.fields import Array, Axes, Boolean, Choice, Field, Integer, Number, Numbers, Pairs, Path
from pypty_nb.params.schedule import Schedule
from pypty_nb.params.tables import TABLES, Table
from pypty_nb.params.tables.aliases import ALIASES


class Row(NamedTuple):
    name: str
    kind: type[Field]
    default: Any
    schedulable: bool = False


ONE_TILT = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])

#: Every row of the document, in its order. Where SPEC.md settles otherwise, a remark says so. A bool default stands for
#: the document's 1 and 0 of the updates; `backend` and `force_dataset_dtype` name no Python object.
DOCUMENT: dict[str, list[Row]] = {
    "Backend": [
        Row("backend", Choice, "auto"),  # the document's cp, which is read as auto
        Row("default_dtype", Choice, "double"),
    ],
    "Dataset": [
        Row("data_path", Path, ""),
        Row("masks", Array, None),
        Row("data_multiplier", Number, 1.0),
        Row("data_pad", Integer, 0),
        Row("data_bin", Integer, 1),
        Row("flip_ky", Boolean, False),  # the document's data_is_numpy_and_flip_ky
        Row("data_shift_vector", Numbers, (0, 0)),
        Row("upsample_pattern", Integer, 1),
        Row("sequence", Array, None, True),
        Row("use_full_FOV", Boolean, True),
    ],
    "Saving": [
        Row("output_folder", Path, ""),
        Row("save_loss_log", Integer, True),
        Row("epoch_prev", Integer, 0),
        Row("save_checkpoints_every_epoch", Integer, False, True),  # SPEC: schedulable
        Row("save_inter_checkpoints", Integer, True, True),  # SPEC: schedulable
        Row("print_flag", Integer, 3),
    ],
    "Experiment": [
        Row("acc_voltage", Number, 60.0),
        Row("aperture_mask", Array, None),
        Row("recon_type", Choice, "far_field"),
        Row("alpha_near_field", Number, 0.0),
        Row("defocus_array", Array, np.array([0.0])),
        Row("Cs", Number, 0.0),
    ],
    "Spatial": [
        Row("slice_distances", Array, np.array([10.0])),
        Row("pixel_size_x_A", Number, 1.0),
        Row("pixel_size_y_A", Number, 1.0),
        Row("scan_size", Numbers, None),
        Row("num_slices", Integer, 1),
    ],
    "Refinable": [
        Row("obj", Array, np.ones((1, 1, 1, 1), complex)),  # num_slices is 1 by default
        Row("probe", Array, None),
        Row("positions", Array, np.array([[0.0, 0.0]])),
        Row("tilts", Array, ONE_TILT),
        Row("tilt_mode", Integer, 0),
        Row("static_background", Array, 0.0),
        Row("beam_current", Array, None),
    ],
    "Propagation": [
        Row("propmethod", Choice, "multislice", True),  # SPEC: schedulable
        Row("allow_subPixel_shift", Boolean, True),
        Row("dynamically_resize_yx_object", Integer, False, True),
        Row("extra_space_on_side_px", Integer, 0),
    ],
    "Bandwidth": [
        Row("damping_cutoff_multislice", Number, 2 / 3),
        Row("smooth_rolloff", Number, 0.0),
        Row("update_extra_cut", Number, 0.005),
        Row("lazy_clean", Boolean, False),
    ],
    "Optimisation": [
        Row("algorithm", Choice, "lsq_sqrt", True),  # a schedule is an extension
        Row("epoch_max", Integer, 200),
        Row("wolfe_c1_constant", Number, 0.5, True),
        Row("wolfe_c2_constant", Number, 0.999999, True),
        Row("loss_weight", Number, 1.0, True),
        Row("max_count", Integer, None),
        Row("reduce_factor", Number, 0.5),
        Row("optimism", Number, 2.0),
        Row("min_step", Number, 1e-20),
        Row("hist_length", Integer, 10, True),
        Row("update_step_bfgs", Number, 1.0, True),
        Row("phase_only_obj", Boolean, False, True),
        Row("tune_only_probe_phase", Boolean, False, True),
        Row("tune_only_probe_abs", Boolean, False, True),
        Row("reset_history_flag", Boolean, None, True),
    ],
    "Updating": [
        Row("update_probe", Boolean, True, True),
        Row("update_obj", Boolean, True, True),
        Row("update_probe_pos", Boolean, False, True),
        Row("update_tilts", Boolean, False, True),
        Row("update_beam_current", Boolean, False, True),
        Row("update_aberrations_array", Boolean, False, True),
        Row("update_static_background", Boolean, False, True),
    ],
    "Illumination": [
        Row("aberrations_array", Array, np.array([[0.0]])),
        Row("phase_plate_in_h5", Path, None),
        Row("aberration_marker", Array, None),
        Row("probe_marker", Array, None),
    ],
    "Memory": [
        Row("load_one_by_one", Boolean, True),
        Row("smart_memory", Boolean, True, True),
        Row("remove_fft_cache", Boolean, False),
        Row("compute_batch", Integer, 1),
        Row("force_dataset_dtype", Choice, None),  # SPEC: None is that of default_dtype
        Row("preload_to_cpu", Boolean, False),
        Row("force_pad", Boolean, False),
    ],
    "LossConstraints": [
        Row("mixed_variance_weight", Number, 0.0, True),
        Row("mixed_variance_sigma", Number, 0.5, True),
        Row("probe_constraint_mask", Array, None),
        Row("probe_reg_constraint_weight", Number, 0.0, True),  # SPEC: schedulable
        Row("window_weight", Number, 0.0, True),
        Row("window", Array, None, True),
        Row("abs_norm_weight", Number, 0.0, True),  # SPEC: schedulable
        Row("phase_norm_weight", Number, 0.0, True),
        Row("atv_weight", Number, 0.0, True),
        Row("atv_q", Number, 1.0, True),
        Row("atv_p", Number, 2.0, True),
        Row("fast_axis_reg_weight_positions", Number, 0.0, True),
        Row("fast_axis_reg_weight_tilts", Number, 0.0, True),
        Row("slow_axis_reg_weight_positions", Number, 0.0, True),
        Row("slow_axis_reg_coeff_positions", Number, 0.0, True),
        Row("slow_axis_reg_weight_tilts", Number, 0.0, True),
        Row("slow_axis_reg_coeff_tilts", Number, 0.0, True),
    ],
    "HandConstraints": [
        Row("apply_gaussian_filter", Number, False, True),
        Row("apply_gaussian_filter_amplitude", Number, False, True),
        Row("beta_wedge", Number, 0.0, True),
        Row("keep_probe_states_orthogonal", Boolean, False, True),
        Row("do_charge_flip", Boolean, False, True),  # twice in the document, as are the next two
        Row("cf_delta_phase", Number, 0.1, True),
        Row("cf_delta_abs", Number, 0.01, True),
        Row("cf_beta_phase", Number, -0.95, True),
        Row("cf_beta_abs", Number, -0.95, True),
        Row("fancy_sigma", Pairs, None, True),
        Row("restart_from_vacuum", Boolean, None, True),
    ],
    "Beam": [
        Row("n_hermite_probe_modes", Numbers, None),
        Row("defocus_spread_modes", Array, None),
        Row("aberrations", Array, None),
        Row("extra_probe_defocus", Number, 0.0),
        Row("estimate_aperture_based_on_binary", Number, 0.0),
        Row("beam_ctf", Array, None),
        Row("mean_pattern", Array, None),
    ],
}

#: What SPEC.md adds under "Beyond the document", and the extensions, in the tables' order.
BEYOND: dict[str, list[Row]] = {
    "Backend": [],
    "Dataset": [
        Row("dataset", Array, None),
        Row("use_padded_intensity", Boolean, True),
        Row("scan_step_A", Number, None),
        Row("bad_pixels", Array, None),
        Row("data_axes", Axes, ""),
    ],
    "Saving": [
        Row("strip_dataset_from_params", Boolean, True),
        Row("data_simulation_flag", Path, False),
        Row("data_simulation_exitwave", Boolean, False),
    ],
    "Experiment": [],
    "Spatial": [Row("edge_slice_thickness", Number, None)],
    "Refinable": [Row("reset_positions", Boolean, False, True)],
    "Propagation": [Row("skip_preprocessing", Boolean, False)],
    "Bandwidth": [Row("patch_band_limit", Boolean, True)],
    "Optimisation": [
        Row("preconditioner", Choice, "illumination"),
        Row("validation_fraction", Number, 0.0),
        Row("stop_on_validation", Integer, 0),
    ],
    "Updating": [],
    "Illumination": [],
    "Memory": [Row("memory_saturation", Number, 0.7)],
    "LossConstraints": [
        Row("deformation_reg_weight_positions", Number, 0.0, True),
        Row("deformation_reg_weight_tilts", Number, 0.0, True),
        Row("wedge_mu", Number, 0.0, True),
        Row("probe_mod_reg_weight", Number, 0.0, True),
        Row("probe_mod_tol", Number, 0.1),
    ],
    "HandConstraints": [],
    "Beam": [
        Row("mc_n_modes", Integer, None),
        Row("n_mc_samples", Integer, 256),
        Row("focal_spread", Number, 0.0),
        Row("spatial_coh_x_A", Number, 0.0),
        Row("spatial_coh_y_A", Number, 0.0),
        Row("spatial_coh_xy", Number, 0.0),
    ],
}

#: What may change between epochs though it takes no schedule.
LIVE = {
    "print_flag",
    "epoch_max",
    "max_count",
    "reduce_factor",
    "optimism",
    "min_step",
    "stop_on_validation",
}

CHOICES = {
    "backend": {"auto", "numpy", "cupy"},
    "default_dtype": {"double", "single"},
    "recon_type": {"far_field", "near_field"},
    "propmethod": {"multislice", "better_multislice", "yoshida"},
    "algorithm": {
        "lsq_sqrt",
        "ml",
        "lsq",
        "lsq_sqrt_2",
        "lsq_compressed",
        "gauss_compressed",
        "poisson_compressed",
    },
    "preconditioner": {"none", "illumination"},
}

PAIR = (1.5, 0.7)

#: Values in the forms that the document and SPEC.md name, with what is stored.
TAKEN: list[tuple[str, Any, Any]] = [
    ("backend", "cp", "auto"),
    ("backend", "gpu", "cupy"),
    ("backend", "np", "numpy"),
    ("data_shift_vector", [2, -1], (2, -1)),
    ("sequence", [0, 2, 4], np.array([0, 2, 4])),
    ("dataset", np.ones((2, 3, 4), np.uint16), np.ones((2, 3, 4), np.uint16)),
    ("dataset", np.ones((2, 3, 4, 5), np.float32), np.ones((2, 3, 4, 5), np.float32)),
    ("dataset", np.ones((2, 7)), np.ones((2, 7))),
    ("save_loss_log", True, True),
    ("save_loss_log", 2, 2),
    ("save_checkpoints_every_epoch", 5, 5),
    ("save_checkpoints_every_epoch", 0, 0),
    ("save_inter_checkpoints", False, False),
    ("data_simulation_flag", "simulated.h5", "simulated.h5"),
    ("scan_size", (44, 52), (44, 52)),
    ("probe", "aperture", "aperture"),
    ("probe", np.ones((4, 4, 1)), np.ones((4, 4, 1), complex)),
    ("probe", np.ones((4, 4, 2, 3), complex), np.ones((4, 4, 2, 3), complex)),
    ("static_background", 12, 12.0),
    ("static_background", np.ones((4, 4)), np.ones((4, 4))),
    ("dynamically_resize_yx_object", True, True),
    ("dynamically_resize_yx_object", 8, 8),
    ("loss_weight", "mean", "mean"),
    ("loss_weight", "mean_full", "mean_full"),
    ("max_count", np.inf, math.inf),
    ("hist_length", np.inf, math.inf),
    ("update_probe", 1, True),
    ("update_probe", 0, False),
    ("compute_batch", "auto", "auto"),
    ("force_dataset_dtype", "float32", "float32"),
    ("probe_constraint_mask", 0.5, 0.5),
    ("probe_reg_constraint_weight", math.inf, math.inf),
    ("window", [0.6, 0.9], np.array([0.6, 0.9])),
    ("window", np.ones((4, 4)), np.ones((4, 4))),
    ("apply_gaussian_filter", True, True),
    ("apply_gaussian_filter", 0.8, 0.8),
    ("fancy_sigma", 2, 2.0),
    ("fancy_sigma", [list(PAIR), None], (PAIR, None)),
    ("fancy_sigma", (None, np.array(PAIR)), (None, PAIR)),
    ("n_hermite_probe_modes", [1, 2], (1, 2)),
    ("aberrations", [100.0, 0.0, 5.0], np.array([100.0, 0.0, 5.0])),
]

REFUSED: list[tuple[str, Any]] = [
    ("data_multiplier", 0),
    ("data_bin", 0),
    ("data_pad", -1),
    ("data_pad", 1.5),
    ("sequence", [0.5]),
    ("save_loss_log", 3),
    ("save_checkpoints_every_epoch", -1),
    ("data_simulation_flag", True),
    ("print_flag", 5),
    ("acc_voltage", 0),
    ("acc_voltage", "lambda x: 60"),
    ("pixel_size_x_A", 0),
    ("pixel_size_y_A", -1),
    ("num_slices", 0),
    ("scan_size", (0, 4)),
    ("obj", None),
    ("obj", np.ones((4, 4))),
    ("probe", np.ones((4, 4))),
    ("probe", "none"),
    ("positions", np.ones((4, 3))),
    ("tilts", np.ones((4, 2))),
    ("tilt_mode", 5),
    ("static_background", -1),
    ("damping_cutoff_multislice", 0),
    ("damping_cutoff_multislice", 1.1),
    ("algorithm", "poisson"),
    ("epoch_max", -1),
    ("epoch_max", "lambda x: 3"),
    ("wolfe_c1_constant", 0),
    ("wolfe_c2_constant", 1),
    ("loss_weight", "median"),
    ("max_count", 0),
    ("reduce_factor", 1),
    ("optimism", 1),
    ("hist_length", -1),
    ("update_obj", 0.5),
    ("validation_fraction", 1),
    ("bad_pixels", [1, 2]),
    ("data_axes", "y, x"),
    ("data_axes", "ky, ky, scan_y, scan_x"),
    ("data_axes", 3),
    ("bad_pixels", [[0.5, 1]]),
    ("compute_batch", 0),
    ("memory_saturation", 0),
    ("force_dataset_dtype", "complex64"),
    ("atv_weight", -1),
    ("window", [0.1, 0.2, 0.3]),
    ("fancy_sigma", 0),
    ("fancy_sigma", True),
    ("fancy_sigma", (1.0, 2.0)),
    ("fancy_sigma", ((1.0, 2.0),)),
    ("fancy_sigma", ((1.0, -2.0), None)),
    ("fancy_sigma", ((1.0, "2"), None)),
    ("n_hermite_probe_modes", [-1, 0]),
    ("mc_n_modes", 0),
    ("spatial_coh_xy", 1),
    ("spatial_coh_xy", -1),
]

BY_NAME = {table.__name__: table for table in TABLES}
FIELDS = {name: field for table in TABLES for name, field in table.fields().items()}
ROWS = {row.name: row for rows in (DOCUMENT, BEYOND) for group in rows.values() for row in group}


def equal(a: Any, b: Any) -> bool:
    """Equal in type and value; arrays in shape and kind of number too."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool(np.all(a == b))
    return type(a) is type(b) and a == b


def holder(name: str) -> Table:
    """A new instance of the table that has `name`."""
    return next(table for table in TABLES if name in table.fields())()


def test_tables_in_the_documents_order():
    assert [table.__name__ for table in TABLES] == list(DOCUMENT) == list(BEYOND)


@pytest.mark.parametrize("table", DOCUMENT)
def test_a_table_holds_its_rows_in_order_and_no_others(table: str):
    names = list(BY_NAME[table].fields())
    expected = [row.name for row in DOCUMENT[table]]
    assert [name for name in names if name in expected] == expected
    assert set(names) == {*expected, *(row.name for row in BEYOND[table])}


@pytest.mark.parametrize("name", ROWS)
def test_kind_default_and_schedule(name: str):
    field, row = FIELDS[name], ROWS[name]
    assert type(field) is row.kind
    assert equal(field.default, row.default)
    assert field.schedulable is row.schedulable


@pytest.mark.parametrize("name", ROWS)
def test_only_what_is_schedulable_takes_a_schedule(name: str):
    table = holder(name)
    if ROWS[name].schedulable:
        setattr(table, name, "lambda x: x >= 20")
        assert isinstance(getattr(table, name), Schedule)
    else:
        for schedule in ({"steps": [[0, 1]]}, lambda epoch: epoch):
            with pytest.raises(ParameterError, match=name):
                setattr(table, name, schedule)


def test_what_may_change_between_epochs():
    assert {name for name, field in FIELDS.items() if field.live and not field.schedulable} == LIVE
    assert all(field.live for field in FIELDS.values() if field.schedulable)


@pytest.mark.parametrize("name", CHOICES)
def test_choices(name: str):
    field = FIELDS[name]
    assert isinstance(field, Choice)
    assert set(field.choices) == CHOICES[name]


@pytest.mark.parametrize("name", ROWS)
def test_label_help_and_level(name: str):
    field = FIELDS[name]
    assert field.label and field.label != name
    assert field.doc and len(field.doc) >= 20 and field.doc.endswith(".")
    assert not field.differs or field.differs.endswith(".")
    assert field.level in {"basic", "expert"}
    assert "  " not in field.doc + field.label + field.differs


def test_each_name_and_label_stands_once():
    names = [name for table in TABLES for name in table.fields()]
    assert len(names) == len(set(names))
    labels = [field.label for field in FIELDS.values()]
    assert len(labels) == len(set(labels))
    assert all(table.title for table in TABLES)


def test_a_newcomer_sees_fifteen_to_thirty():
    assert 15 <= sum(field.level == "basic" for field in FIELDS.values()) <= 30


def test_older_names_lead_to_parameters():
    assert ALIASES == {"data_is_numpy_and_flip_ky": "flip_ky"}
    assert not ALIASES.keys() & FIELDS.keys()
    assert set(ALIASES.values()) <= FIELDS.keys()


@pytest.mark.parametrize("table", TABLES)
def test_no_array_is_shared(table: type[Table]):
    first, second = table(), table()
    for name, field in table.fields().items():
        if isinstance(field.default, np.ndarray):
            arrays = (getattr(first, name), getattr(second, name), field.default)
            assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i]), name


@pytest.mark.parametrize("name", ROWS)
def test_its_own_default_is_accepted_and_stored_as_it_is(name: str):
    table = holder(name)
    assert equal(getattr(table, name), FIELDS[name].default)
    setattr(table, name, FIELDS[name].default)
    assert equal(getattr(table, name), FIELDS[name].default)


@pytest.mark.parametrize(("name", "given", "stored"), TAKEN)
def test_what_is_taken(name: str, given: Any, stored: Any):
    table = holder(name)
    setattr(table, name, given)
    assert equal(getattr(table, name), stored)


@pytest.mark.parametrize(("name", "given"), REFUSED)
def test_what_is_refused(name: str, given: Any):
    table = holder(name)
    with pytest.raises(ParameterError, match=name):
        setattr(table, name, given)
    assert equal(getattr(table, name), FIELDS[name].default)


@pytest.mark.parametrize("name", ["scan_size", "fancy_sigma", "probe", "window", "acc_voltage"])
def test_what_a_field_takes_is_said_in_words(name: str):
    text = FIELDS[name].accepted()
    assert text and FIELDS[name].unit in text
