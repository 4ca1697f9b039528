"""What is loaded with what: the engine without widgets, the package root without the engine, and the public names."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import pypty_nb


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after `statement`."""
    code = f"{statement}; import sys; print(' '.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("module", ["pypty_nb.engine", "pypty_nb.runs", "pypty_nb.data", "pypty_nb.params", "pypty_nb.physics"])
def test_no_widget_is_loaded_with_what_lies_below(module: str) -> None:
    modules = loaded_by(f"import {module}")
    assert module in modules
    assert not packages(modules) & {
        "ipywidgets",
        "bqplot",
        "bqplot_gl",
        "bqplot_image_gl",
        "voila",
        "IPython",
        "traitlets",
        "cupy",
    }
    assert not any(name.startswith(("pypty_nb.widgets", "pypty_nb.workspace", "pypty_nb.cli")) for name in modules)


def test_the_package_alone_loads_nothing() -> None:
    modules = loaded_by("import pypty_nb")
    assert not packages(modules) & {"numpy", "scipy", "h5py", "param", "ipywidgets", "bqplot", "voila"}
    assert {name for name in modules if name.startswith("pypty_nb")} == {"pypty_nb"}


def test_the_command_line_loads_neither_engine_nor_widgets() -> None:
    modules = loaded_by("import pypty_nb.cli")
    assert not packages(modules) & {"ipywidgets", "bqplot", "voila", "scipy"}
    assert not any(name.startswith(("pypty_nb.engine", "pypty_nb.widgets", "pypty_nb.workspace")) for name in modules)


@pytest.mark.parametrize("name", pypty_nb.__all__)
def test_public_names(name: str) -> None:
    if name == "app" and importlib.util.find_spec("pypty_nb.widgets") is None:
        pytest.skip("the widgets are not part of this installation")
    assert name in dir(pypty_nb)
    found = getattr(pypty_nb, name)
    assert found if name == "__version__" else callable(found)


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pypty_nb.nothing  # pyright: ignore[reportAttributeAccessIssue]
