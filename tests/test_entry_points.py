"""Importing changes no thread setting, entry points ask for one thread; a pipe that nobody reads is quiet."""

import os
import runpy
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import pytest
from forgetting import CAN_FORK, forked

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is an extra")
TINY = "d_model=16, n_heads=2, num_layers=1, dim_feedforward=16, steps=1, batch_size=4, n_validation=4"


def _without_threads():
    return {name: text for name, text in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}


def _run(*command, **settings):
    environment = _without_threads() | settings
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, env=environment)


SCRIPT = f"""
import os, torch
torch.set_num_threads(2)
import nblib
from nblib import train, train_many, TrainConfig
from nblib.training import loop
from nblib.prediction import attention_of, predict
inside, real = [], loop._finish
loop._finish = lambda *given: inside.append(torch.get_num_threads()) or real(*given)
result = train(TrainConfig({TINY}), n_workers=0)
predict(result.model, result.config.dataset("test", 2))
attention_of(result.model, result.config.dataset("test", 2))
print(inside, torch.get_num_threads(), [name for name in os.environ if name.startswith(("OMP_", "GOMP_"))])
print(len(train_many([TrainConfig(seed=seed, {TINY}) for seed in (1, 2)])))
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """The lines of a script without a main guard that trains one model, then two others."""
    script = tmp_path_factory.mktemp("script") / "script.py"
    script.write_text(SCRIPT)
    settings = {"NBLIB_RUNS": str(script.parent / "runs"), "NBLIB_CORES": "2"}
    program = partial(runpy.run_path, str(script), run_name="__main__")
    answer = forked(program, script.parent, _without_threads() | settings) if CAN_FORK else _run(script, **settings)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout.splitlines()


@needs_torch
@pytest.mark.slow
def test_importing_and_training_leave_the_threads_as_they_were(printed):
    """Planted bugs: nblib/__init__ setting OMP_NUM_THREADS; a training that keeps its one thread for the process."""
    assert printed[0] == "[1] 2 []"


@needs_torch
@pytest.mark.slow
def test_many_runs_are_trained_from_a_script_without_a_main_guard(printed):
    """Planted bugs: multiprocessing's long text about bootstrapping; the script run again in each process."""
    assert printed[1:] == ["2"]


@needs_torch
@pytest.mark.parametrize(
    ("given", "threads"), [({}, 1), ({"OMP_NUM_THREADS": "2"}, 2), ({"OMP_NUM_THREADS": "2,1"}, 2)]
)
def test_one_thread_is_asked_for_unless_the_user_asks_otherwise(given, threads, monkeypatch):
    """Planted bug: torch's default, as many threads as cores, which spin beside other work."""
    import torch

    from nblib.project.threads import one_thread

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


SHOWN = "import os, sys; print(*map(os.environ.get, ('OMP_NUM_THREADS', 'OMP_WAIT_POLICY')), 'torch' in sys.modules)"


@pytest.mark.parametrize(
    "entry",
    [
        "from nblib.__main__ import main; main(['--version'])",
        pytest.param("from evidence import __main__ as e; e._publish = print; e.main(['publish'])", marks=needs_torch),
        pytest.param("import evidence.benchmarks", marks=needs_torch),
        "import os, pathlib, runpy, nblib.notebook.lab as lab; os.execv = print; "
        "lab.copy_notebooks = lambda: (pathlib.Path.cwd(), []); runpy.run_path('workflow/lab.py', run_name='__main__')",
    ],
)
def test_entry_points_set_the_variables_before_torch_is_imported(entry):
    """Planted bug: a command whose torch spins with as many threads as cores."""
    answer = _run("-c", f"{entry}; {SHOWN}")
    assert answer.stdout.splitlines()[-1:] == ["1 PASSIVE False"], answer.stderr[-2000:]


@pytest.mark.skipif(os.name == "nt", reason="a pipe of a shell")
@pytest.mark.parametrize("arguments", [["--help"], ["detect", "--help"], ["detect", "--json", "FILE"]])
def test_a_pipe_that_nobody_reads_is_quiet(arguments, tmp_path):
    """Planted bug: "Exception ignored in ... BrokenPipeError" where argparse had printed the help."""
    (tmp_path / "a.csv").write_text("freq,psd\n" + "\n".join(f"{n},{1 / n:.6g}" for n in range(1, 400)))
    command = [sys.executable, "-m", "nblib", *(text.replace("FILE", "a.csv") for text in arguments)]
    read, write = os.pipe()
    os.close(read)
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    process = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=buffered)
    os.close(write)
    assert (process.communicate()[1], process.returncode) == ("", 0)
