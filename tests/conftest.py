"""Shared set-up: shapes in signatures are checked, figures need no screen, nothing is written into the project."""

import os

import matplotlib
import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

matplotlib.use("Agg")
CHECKED = [f"nblib.{name}" for name in ("spectra", "losses", "detection", "prediction")]
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float
install_import_hook(CHECKED, "conftest.checked")


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory):
    """runs/ of the tests is temporary; nothing else is written to."""
    os.environ["NBLIB_RUNS"] = str(tmp_path_factory.mktemp("runs"))
