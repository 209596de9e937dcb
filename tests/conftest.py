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
    """runs/ and figures/ of the tests are temporary; one thread a process, since tests run side by side."""
    import torch

    torch.set_num_threads(1)
    os.environ["NBLIB_RUNS"] = str(tmp_path_factory.mktemp("runs"))
    os.environ["NBLIB_FIGURES"] = str(tmp_path_factory.mktemp("figures"))
