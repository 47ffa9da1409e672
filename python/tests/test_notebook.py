"""The notebook runs from top to bottom, each cell showing something where it does as it is committed."""
import os

import nbclient
import nbformat

from conftest import ROOT

PATH = ROOT / "python" / "quickstart.ipynb"


def test_notebook(tmp_path, monkeypatch):
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(PATH, as_version=4)
    shown = [bool(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3",
                            resources={"metadata": {"path": tmp_path}}).execute()
    assert [bool(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"] == shown
    assert shown.count(True) >= 6
    assert not [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
                if output.output_type == "stream" and output.name == "stderr"]
    if os.environ.get("PARL_WRITE_NOTEBOOK"):  # to commit what it shows
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(notebook, PATH)
