"""Models judged side by side: the same numbers as in turn, by the right names, and no processes inside processes."""

import os
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

from nblib import TrainConfig, assessment, train
from nblib.assessment import assess, assess_many
from nblib.project import parallel as pool
from nblib.project.parallel import map_side_by_side

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16, "steps": 1, "batch_size": 4}
TINY |= {"n_validation": 4}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        return {readout: train(TrainConfig(readout=readout, **TINY), n_workers=0) for readout in ("token", "cls")}


def _process(item):
    return item, os.getpid()


def test_inside_a_process_or_with_one_core_the_work_is_done_here(monkeypatch):
    """Planted bug: a pool in each process of a pool, four on two cores."""
    here = [("a", os.getpid()), ("b", os.getpid())]
    monkeypatch.setattr(pool, "available_cores", lambda: 1)
    assert map_side_by_side(_process, "ab") == here
    monkeypatch.setattr(pool, "available_cores", lambda: 2)
    monkeypatch.setattr(pool, "parent_process", lambda: object())
    assert map_side_by_side(_process, "ab") == here


@pytest.mark.slow
def test_models_side_by_side_have_the_numbers_of_their_own(results, monkeypatch):
    """Planted bug: results in the order in which processes end, under each other's names."""
    monkeypatch.setenv("NBLIB_CORES", "2")
    monkeypatch.setattr(assessment, "FEWEST_SPECTRA", 0)
    used = []
    monkeypatch.setattr(pool, "get_context", lambda _: get_context("fork"))  # a new one takes seconds to import torch
    monkeypatch.setattr(pool, "ProcessPoolExecutor", partial(_counted, used, pool.ProcessPoolExecutor))
    together = assess_many(results, "single_line", 20, "validation")
    assert used == [min(2, pool.available_cores())] or pool.available_cores() == 1
    for name, (reading, metrics) in together.items():
        alone, expected = assess(results[name], "single_line", 20, "validation")
        for field in ("restored", "filled", "cls_attn", "noisy"):
            np.testing.assert_array_equal(getattr(reading, field), getattr(alone, field))
        assert reading.patch_size == alone.patch_size
        np.testing.assert_equal(metrics, expected)  # exactly, NaN included
    assert list(together) == ["token", "cls"]


def _counted(used, executor, n_processes, *arguments):
    used.append(n_processes)
    return executor(1, *arguments)
