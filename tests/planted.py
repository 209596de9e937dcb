"""`make test-install`: bugs planted in copies of model, penalty and table turn a marked cell of a notebook red."""

import os
import shutil
import subprocess
import sys

import pytest

from nblib.project.paths import ROOT

COPIED, LINKED = (
    ("nblib", "evidence", "notebooks"),
    ("records", "figures", "data", "docs", "README.md", "pyproject.toml"),
)
PLANTED = {  # what is wrong -> notebook, file, what stands there, what is written instead
    "nothing": ("06_benchmark", "evidence/compared.py", "", ""),
    "table": (
        "06_benchmark",
        "evidence/compared.py",
        'return known["methods"][LIMIT]["ap"], ',
        'return 0.9 * known["methods"][LIMIT]["ap"], ',
    ),
    "penalty": (
        "05_lambda_sweep",
        "nblib/losses.py",
        "    return _uniform_over(cls_attn, clean)",
        "    return _uniform_over(cls_attn, ~clean)",
    ),
    "model": (
        "04_attention_heatmaps",
        "nblib/attention.py",
        "logits[..., 1:].softmax(dim=-1)",
        "1.01 * logits[..., 1:].softmax(dim=-1)",
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_marked_cell_sees_it(what, tmp_path):
    notebook, file, before, after = PLANTED[what]
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    source = (tmp_path / file).read_text(encoding="utf-8")
    if before:
        assert source.count(before) == 1
        (tmp_path / file).write_text(source.replace(before, after), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NBLIB_RUNS": str(tmp_path / "runs")}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--nbval-lax", "-q"]
    answer = subprocess.run(
        [*command, f"notebooks/{notebook}.ipynb"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == (what != "nothing"), answer.stdout[-3000:]
    assert ("# NBVAL_CHECK_OUTPUT" in answer.stdout) == (what != "nothing")  # the cell that failed is a marked one
