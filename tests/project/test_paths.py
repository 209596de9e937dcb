"""Where files go: below runs/, wherever the variables and the place of the package put it."""

import shutil
import subprocess
import sys

import pytest

from nblib.project import paths


def test_variables_move_folders(tmp_path, monkeypatch):
    for name in ("RUNS", "FIGURES", "RECORDS"):
        monkeypatch.setenv(f"NBLIB_{name}", str(tmp_path / name))
    assert paths.runs_dir("quick", "00_data") == tmp_path / "RUNS" / "quick" / "00_data"
    assert paths.runs_dir("quick", "00_data").is_dir()
    assert paths.published_figures() == tmp_path / "FIGURES"
    assert paths.record_path("quick", "00_data") == tmp_path / "RECORDS" / "quick" / "00_data.json"
    assert not (tmp_path / "RECORDS").exists()  # asking is not writing


@pytest.mark.parametrize(("profile", "run_name"), [("smoke", ""), ("quick", ""), ("full", ""), ("quick", "lambda=3")])
def test_every_run_draws_below_runs(tmp_path, monkeypatch, profile, run_name):
    """Planted bug: figures of a plain quick run written to figures/, as they once were."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NBLIB_FIGURES", str(tmp_path / "figures"))
    assert tmp_path / "runs" in paths.figures_dir(profile, run_name).parents


def test_outside_a_clone_runs_go_to_the_current_folder(tmp_path):
    """Planted bug: runs/ beside the installed package, in site-packages."""
    site, here = tmp_path / "site-packages", tmp_path / "here"
    here.mkdir()
    shutil.copytree(paths.ROOT / "nblib", site / "nblib", ignore=shutil.ignore_patterns("__pycache__"))
    program = "from nblib.project import environment, paths; print(paths.IN_CLONE, paths.runs_dir('a'))\n"
    program += "print(environment.git_commit(), paths.from_root('runs'))"
    environment = {"PYTHONPATH": str(site), "PATH": ""}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=here, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["False", str((here / "runs" / "a").resolve()), "unknown", "runs"]


def test_a_data_file_is_looked_for_in_three_places(tmp_path, monkeypatch):
    for folder in ("here", "root", "measured"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.csv").touch()
        (tmp_path / folder / "all.csv").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "root")
    monkeypatch.setenv(paths.REAL_DATA_VARIABLE, "../measured")
    for folder in ("here", "root", "measured"):
        assert paths.resolve_data_path(f"{folder}.csv").resolve() == tmp_path / folder / f"{folder}.csv"
    assert paths.resolve_data_path("all.csv").resolve().parent.name == "here"
    with pytest.raises(ValueError, match=r"data_path='none.csv' is not a file \(tried .*root.*measured"):
        paths.resolve_data_path("none.csv")
    monkeypatch.delenv(paths.REAL_DATA_VARIABLE)
    with pytest.raises(ValueError, match="NBLIB_REAL_DATA is not set"):
        paths.real_data_dir()
