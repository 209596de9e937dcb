"""Shared set-up: shapes in signatures are checked, figures need no screen, nothing is written into the project."""

import os
from pathlib import Path

import matplotlib
import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

matplotlib.use("Agg")
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float
# these take what users, JSON and papermill give (lists for tuples, complex numbers) and refuse the rest themselves
UNCHECKED = {"nblib.training.config", "nblib.analysis.detector", "nblib.analysis.timeseries"}
PACKAGE = Path(__file__).resolve().parent.parent / "nblib"
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("[!_]*.py")}
install_import_hook(sorted(MODULES - UNCHECKED), "conftest.checked")


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory):
    """runs/ of the tests is temporary; nothing else is written to."""
    os.environ["NBLIB_RUNS"] = str(tmp_path_factory.mktemp("runs"))
