"""The benchmarks' scripts start both ways, and what they measure with works on the smallest sizes."""

import importlib
import re
import runpy
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from evidence.benchmarks import attention, growth, log_tokens, script, wide
from nblib import NoiseBERTDataset, TrainConfig
from nblib.project.paths import ROOT, benchmark_result
from nblib.project.records import read_json, write_json

NO_QUESTIONS = ("__init__", "script", "thresholds")  # the last has no options
NAMES = {path.stem for path in (ROOT / "evidence" / "benchmarks").glob("*.py")}.difference(NO_QUESTIONS)


def test_every_record_has_a_script_that_make_bench_runs():
    """Planted bug: a record whose script is gone, so that nobody could measure it again."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    listed = re.search(r"^BENCHMARKS := (.*)$", makefile, re.MULTILINE)[1].split()
    records = {path.stem for path in (ROOT / "records" / "benchmarks").glob("*.json")}
    assert records <= set(listed) <= NAMES


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_script_explains_its_options(name, monkeypatch, capsys):
    """Planted bug: growth.py asked TrainConfig for a preset that is gone, and nothing imported the script."""
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"evidence.benchmarks.{name}").main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize("way", [runpy.run_path, runpy.run_module])
def test_a_script_runs_as_a_file_and_as_a_module(way, monkeypatch, capsys):
    """Planted bug: `from attention import peak_mib` works from the folder of the benchmarks only."""
    file = ROOT / "evidence" / "benchmarks" / "growth.py"
    modules = {name: module for name, module in sys.modules.items() if name.startswith("evidence.benchmarks")}
    for name in modules:
        monkeypatch.delitem(sys.modules, name)  # as in a new process
    if way is runpy.run_path:
        monkeypatch.setattr(sys, "path", [str(file.parent), *sys.path])
    monkeypatch.setattr(sys, "argv", [str(file), "--alone", "300"])
    way(str(file) if way is runpy.run_path else "evidence.benchmarks.growth", run_name="__main__")
    assert '"tokens": 15' in capsys.readouterr().out


def test_options_read_what_defaults_say(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "--n", "3", "--some", "1", "2", "--on", "--only", "b"])
    only = {"choices": ["a", "b"]}
    asked = script.options("x.py", "text", n=1, some=[0], on=(False, "a switch"), only=only, left=0.5)
    assert vars(asked) == {"n": 3, "some": [1, 2], "on": True, "only": "b", "left": 0.5}


def test_redraw_draws_the_published_record_and_measures_nothing(monkeypatch, tmp_path):
    """Planted bug: --redraw drew the record of the last run, which is not there."""
    monkeypatch.setenv("NBLIB_RECORDS", str(tmp_path))
    (tmp_path / "benchmarks").mkdir()
    write_json(tmp_path / "benchmarks" / "x.json", {"rows": 1})
    monkeypatch.setattr(sys, "argv", ["x", "--redraw"])
    drawn = []
    with pytest.raises(SystemExit):
        script.options("folder/x.py", "text", drawn.append)
    assert drawn == [{"rows": 1}]


def test_a_record_has_the_script_s_name_and_its_conditions(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NBLIB_RUNS", str(tmp_path))
    script.write_record("folder/x.py", {"rows": 1})
    record = read_json(benchmark_result("x"))
    assert record["rows"] == 1 and {"commit", "versions", "hardware"} <= set(record)
    assert "x.json" in capsys.readouterr().out


@pytest.mark.parametrize("way", attention.WAYS)
def test_every_way_of_capturing_attention_takes_a_step(way, monkeypatch):
    """Planted bug: torch's layers were called as an encoder that the model no longer has."""
    monkeypatch.setitem(attention.BATCH, 30, 2)
    made, optimizer = [], torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda *given, **more: made.append(optimizer(*given, **more)) or made[0])
    step = attention.build(way, 30)
    values = [value for group in made[0].param_groups for value in group["params"]]
    before = [value.detach().clone() for value in values]
    step()
    moved = [not torch.equal(one, other) for one, other in zip(values, before, strict=True)]
    assert any(moved)
    assert all(torch.isfinite(value).all() for value in values)


def test_a_step_of_growth_has_as_many_tokens_as_its_bins_need():
    assert growth.step_of(310)["tokens"] == 16


def test_a_layout_joins_bins_and_leaves_the_rest_to_the_data_set():
    """Planted bug: sums instead of means where several bins are one value."""
    data = NoiseBERTDataset("validation", 2)
    joined = log_tokens.Widening(data, ((1, 10), (2, 20), (4, 25)))
    batch, whole = joined.batch(range(2)), data.batch(range(2))
    assert batch["target"].shape == (2, 20 * 55)
    torch.testing.assert_close(batch["target"][:, 200], whole["target"][:, 200:202].mean(dim=1))
    assert batch["noisy"][:, -1].tolist() == whole["noisy"][:, -4:].any(dim=1).tolist()
    assert joined.n_segments == data.n_segments
    with pytest.raises(ValueError, match="covers 200 bins and the spectra have 3000"):
        log_tokens.Widening(data, ((1, 10),))


@pytest.mark.slow
def test_a_layout_is_trained_and_judged():
    config = TrainConfig(steps=2, batch_size=4, regularizer="uniform_clean", d_model=32, dim_feedforward=64)
    layout = ((1, 10), (2, 20), (4, 25))
    before = replace(config, steps=1)
    model, seconds = log_tokens.train_layout(before, layout)
    metrics = log_tokens.judge(model, config, layout, 20)
    assert seconds > 0 and np.isfinite([metrics["ap"], metrics["background_rms"]]).all()


def test_differences_are_of_the_same_draws_of_spectra():
    """Planted bug: the first method's draws held against themselves."""
    rng = np.random.default_rng(0)
    truth = [rng.random(30) < 0.2 for _ in range(20)]
    cells = {"good": [row + 0.3 * rng.random(30) for row in truth], "chance": [rng.random(30) for _ in truth]}
    scores, draws = wide.judged(cells, truth)
    gain = wide.differences([("good", "chance")], scores, draws)["good - chance"]
    assert scores["good"]["ap"] > 0.99 and scores["chance"]["interval"][1] < 0.5
    assert gain["difference"] == scores["good"]["ap"] - scores["chance"]["ap"]
    assert 0.4 < gain["low"] < gain["difference"] < gain["high"] < 1
