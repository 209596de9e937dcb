"""Where files go: the variables that move folders, and that a smoke run never touches the report's figures."""

import pytest

from nblib.project import paths


def test_variables_move_folders(tmp_path, monkeypatch):
    for name in ("RUNS", "FIGURES", "RECORDS"):
        monkeypatch.setenv(f"NBLIB_{name}", str(tmp_path / name))
    assert paths.runs_dir("quick", "00_data") == tmp_path / "RUNS" / "quick" / "00_data"
    assert paths.runs_dir("quick", "00_data").is_dir()
    assert paths.figures_dir("quick") == tmp_path / "FIGURES"
    assert paths.record_path("quick", "00_data") == tmp_path / "RECORDS" / "quick" / "00_data.json"


@pytest.mark.parametrize(("profile", "run_name"), [("smoke", ""), ("quick", "lambda=3")])
def test_only_a_plain_longer_run_writes_the_reports_figures(tmp_path, monkeypatch, profile, run_name):
    """Planted bug: the profile not looked at."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NBLIB_FIGURES", str(tmp_path / "figures"))
    assert tmp_path / "runs" in paths.figures_dir(profile, run_name).parents


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
