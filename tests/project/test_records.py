"""Records: whole or not at all, readable by anything that reads JSON, and honest about the commit."""

import json
import subprocess

import numpy as np
import pytest

from nblib.project import environment, records


def test_a_record_is_replaced_whole(tmp_path, monkeypatch):
    """Planted bug: written in place; the failure below left an empty file."""
    path = records.write_json(tmp_path / "result.json", {"value": 1})
    with pytest.raises(TypeError):
        records.write_json(path, {"value": object()})
    assert records.read_json(path) == {"value": 1}
    assert [entry.name for entry in tmp_path.glob("*.json")] == ["result.json"]


def test_numpy_and_what_json_cannot_hold(tmp_path):
    value = {"a": np.float64(0.5), "b": np.arange(3), "c": float("nan"), 4: (np.inf, np.int64(2)), "d": np.bool_(True)}
    path = records.write_json(tmp_path / "result.json", value)
    assert json.loads(path.read_text()) == {"a": 0.5, "b": [0, 1, 2], "c": None, "4": [None, 2], "d": True}


def test_missing_and_damaged_records_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no record at .*none\.json; run the notebook"):
        records.read_json(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"value": ')
    with pytest.raises(ValueError, match=r"cut\.json is not JSON .*delete it and run again"):
        records.read_json(tmp_path / "cut.json")


@pytest.mark.parametrize(("profile", "run_name"), [("quick", ""), ("quick", "seed=1"), ("smoke", "")])
def test_a_run_writes_its_record_below_runs_and_nowhere_else(tmp_path, monkeypatch, profile, run_name):
    """Planted bug: a plain quick run that also writes records/, as it once did."""
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NBLIB_RECORDS", str(tmp_path / "records"))
    assert records.find_result("00_data", profile, run_name) is None
    path = records.save_result("00_data", profile, run_name, {"seed": 3}, {"ap": np.float32(0.5)})
    record = records.find_result("00_data", profile, run_name)
    assert path == tmp_path / "runs" / profile / "00_data" / run_name / "result.json"
    assert (record["parameters"], record["metrics"]) == ({"seed": 3}, {"ap": 0.5})
    assert set(record["versions"]) >= {"python", "torch", "numpy"}
    assert record["hardware"]["cores"] == environment.available_cores()
    assert not (tmp_path / "records").exists()
    assert f"profile {profile}, seed 3, commit {record['commit']}" in records.provenance(record)
    record["parameters"]["seeds"] = [3, 4, 5]  # planted bug: the first of several seeds named alone
    assert f"profile {profile}, seeds 3 to 5, commit" in records.provenance(record)


@pytest.mark.parametrize(("place", "counts"), [("nblib", True), ("evidence", True), ("records", False)])
def test_the_commit_says_whether_code_differs_from_it(place, counts, tmp_path, monkeypatch):
    """Planted bugs: the short hash alone; evidence left out; records counted, so that each run after the first of a
    publish calls itself dirty.
    """
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    assert environment.git_commit() == "unknown"
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    file = tmp_path / place / "file.py"
    file.parent.mkdir()
    file.write_text("a = 1\n")
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    clean = environment.git_commit()
    assert len(clean) == 10
    (tmp_path / "figure.png").touch()
    assert environment.git_commit() == clean
    file.write_text("a = 2\n")
    assert environment.git_commit() == clean + ("-dirty" if counts else "")


def test_cores_are_those_granted_and_no_more_than_asked_for(monkeypatch):
    """Planted bug: more processes than the system grants, because somebody asked for them."""
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    for asked, cores in ((None, 6), ("", 6), ("1", 1), (" 4 ", 4), ("64", 6)):
        monkeypatch.setenv("NBLIB_CORES", asked) if asked is not None else monkeypatch.delenv("NBLIB_CORES", False)
        assert environment.available_cores() == cores
    for asked in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("NBLIB_CORES", asked)
        with pytest.raises(ValueError, match=f"NBLIB_CORES='{asked}' must be a whole number from 1 on; unset it"):
            environment.available_cores()


def test_nobody_watches_a_test():
    assert not environment.is_live()
