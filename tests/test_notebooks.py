"""The worked examples run from top to bottom in a fresh kernel, and are kept without outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from pypty_nb.workspace import Jobs

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: For one cell, on a machine that others use as well.
SECONDS = 400


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a notebook works; no run that it started outlives the test."""
    # what it writes, and the kernel's history, stay in the test's own folder
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    yield work
    project = work / "project"
    if project.is_dir():
        jobs = Jobs(project)
        for job in jobs.list():
            jobs.abort(job.folder)


def test_every_notebook_is_named_in_the_readme() -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        assert f"](notebooks/{path.name})" in readme


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    nbclient = pytest.importorskip("nbclient", reason="nbclient, which executes notebooks, is not installed")
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


@pytest.mark.notebook
@pytest.mark.timeout(900)
def test_the_first_snippets_of_the_readme_run(folder: Path) -> None:
    """Those that need no file of a microscope, one after the other, as a newcomer pastes them."""
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)[:2]
    assert "app()" in snippets[0] and "views" in snippets[1]
    notebook = executed(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in snippets]), folder)
    assert "\n9 " in notebook.cells[0].outputs[-1].text
    assert "application/vnd.jupyter.widget-view+json" in notebook.cells[1].outputs[-1].data


@pytest.mark.notebook
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, folder: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, which the notebooks draw with, is not installed")
    notebook = executed(read(path), folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {output.output_type for output in outputs}
    assert "display_data" in kinds
    assert "error" not in kinds
    said = "".join(output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) for output in outputs)
    # what is kept or sent to others names no folder of this machine
    assert str(folder) not in said
