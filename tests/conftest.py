"""Shared set-up: one thread, shapes in signatures are checked, figures need no screen, nothing is written here.

Where nblib is installed without its extras, the tests of what needs none are collected; shapes need beartype.
"""

import gc
import os
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import pytest
import shapes
from forgetting import CAN_FORK
from matplotlib.figure import Figure

from nblib.project.extras import EXTRAS
from nblib.project.threads import use_one_thread

gc.disable()  # until all is imported: a sixth of that time
use_one_thread()  # before torch; kernels of nbval inherit the variables
matplotlib.use("Agg")
LIGHT = ("measured", "workbench", "test_public.py", "test_entry_points.py")
HEAVY = ("statistic_network", "spectrum_explorer")  # of measured/
if any(find_spec(package) is None for package in EXTRAS["train"]):
    collect_ignore = [path.name for path in Path(__file__).parent.iterdir() if path.name not in LIGHT]
    collect_ignore += [f"measured/test_{name}.py" for name in HEAVY]
# these take what users, JSON and papermill give (lists for tuples, complex numbers) and refuse the rest themselves
UNCHECKED = {"nblib.training.config", "nblib.measured.result", "nblib.measured.detector", "nblib.measured.welch"}
UNCHECKED |= {"nblib.workbench.fit", "nblib.workbench.arrhenius", "nblib.workbench.one_temperature"}
NOTEBOOKS_FIRST = ("06", "03", "05")  # the longest of them
CLONE = Path(__file__).resolve().parent.parent
MODULES = {
    ".".join(path.relative_to(CLONE).with_suffix("").parts)
    for room in ("nblib", "evidence")
    for path in (CLONE / room).rglob("[!_]*.py")
    if "benchmarks" not in path.parts
}
shapes.check(sorted(MODULES - UNCHECKED))


def pytest_runtest_setup():
    shapes.begin()


def pytest_configure(config):
    """Tests that run side by side have one core each, and so have the notebooks' kernels: no more processes in them."""
    if hasattr(config, "workerinput"):
        os.environ["NBLIB_CORES"] = "1"
    if getattr(config.option, "nbval_lax", False) and CAN_FORK:
        import forked_kernel

        forked_kernel.use()


def pytest_collection_finish():
    """What is imported stays to the end: it is looked through for garbage no more, in no fork either."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Longest files first, so that none is left to one worker at the end.

    Notebooks come before all: they share their trained models in the runs/ that `make test` names, before the tests
    change to temporary ones. The types come last: by then `make types`, beside this, has written mypy's cache.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def place(item):
        if item.path.suffix == ".ipynb":
            number = item.path.name[:2]
            return (0, NOTEBOOKS_FIRST.index(number) if number in NOTEBOOKS_FIRST else len(NOTEBOOKS_FIRST))
        return (3, 0) if item.path.stem == "test_types" else (1, 0) if item.path in slow else (2, 0)

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory):
    """runs/ of the tests is temporary; nothing else is written to."""
    os.environ["NBLIB_RUNS"] = str(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def coarse_grid():
    """The search for energies begins on a twenty-fifth of the pairs, and takes as much of the time."""
    from evidence import energies

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energies, "GRID_STEP", 5 * energies.GRID_STEP)
        energies._grid.cache_clear()
        yield
    energies._grid.cache_clear()


@pytest.fixture
def unrendered(monkeypatch):
    """Call it, and figures are drawn and no longer rendered, which takes most of a command: their files show nothing.

    What is drawn is rendered once in the tests of each command; this is for its other calls.
    """
    rendered = Figure.savefig

    def savefig(_, target, **settings):
        kept = {name: value for name, value in settings.items() if name in ("format", "metadata")}
        rendered(Figure(figsize=(0.1, 0.1)), target, **kept)

    return lambda: monkeypatch.setattr(Figure, "savefig", savefig)
