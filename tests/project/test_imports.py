"""What a notebook runs: its imports followed, and nothing that only makes pages or tables."""

from nblib.project.imports import files_behind
from nblib.project.paths import NOTEBOOKS, ROOT


def names(path):
    return {str(file.relative_to(ROOT)) for file in files_behind(path)}


def test_a_notebook_runs_what_it_imports_directly_or_not():
    """Planted bugs: `from nblib import train` not followed to the training loop; the evidence not followed at all."""
    files = names(NOTEBOOKS / "01_baseline_mask_prediction.ipynb")
    assert {"nblib/training/loop.py", "nblib/simulation/noise.py", "nblib/assessment.py"} <= files
    assert {"nblib/__init__.py", "nblib/notebook/plots.py"} <= files
    others = {"evidence/pages/publish.py", "evidence/pages/readme.py", "nblib/notebook/outputs.py", "nblib/__main__.py"}
    assert not others & files
    assert {"evidence/story.py", "evidence/tasks.py"} <= names(NOTEBOOKS / "06_benchmark.ipynb")


def test_imports_inside_functions_count(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("def f():\n    from nblib.scoring import metrics\n    import nblib.losses\n")
    assert {"nblib/scoring/metrics.py", "nblib/scoring/__init__.py", "nblib/losses.py"} <= names(program)
