"""What a notebook runs: its imports followed, and nothing that only makes pages or tables."""

from nblib.project.imports import files_behind
from nblib.project.paths import NOTEBOOKS, ROOT


def names(path):
    return {str(file.relative_to(ROOT / "nblib")) for file in files_behind(path)}


def test_a_notebook_runs_what_it_imports_directly_or_not():
    """Planted bug: `from nblib import train` not followed to the training loop."""
    found = names(NOTEBOOKS / "01_baseline_mask_prediction.ipynb")
    assert {"training/loop.py", "spectra/noise.py", "detection/metrics.py", "reporting/plots.py"} <= found
    assert "__init__.py" in found
    assert not {"reporting/publish.py", "reporting/readme.py", "reporting/outputs.py", "__main__.py"} & found
    assert "evaluation/trials.py" not in found
    assert "evaluation/trials.py" in names(NOTEBOOKS / "06_benchmark.ipynb")


def test_imports_inside_functions_count(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("def f():\n    from nblib.spectra import cells\n    import nblib.losses\n")
    assert {"spectra/cells.py", "spectra/__init__.py", "losses.py"} <= names(program)
