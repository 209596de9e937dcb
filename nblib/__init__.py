"""Noise-aware masked pretraining of power spectral densities, and a detector of contamination in measured ones.

`__all__` lists what is public; a name is imported when it is first asked for. Names whose extra is not installed are
left out of `__all__` and `dir`, so that `from nblib import *` works; asked for all the same, they say what to install.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nblib.project.extras import EXTRAS, what_to_install
from nblib.project.steps import STEPS

if TYPE_CHECKING:
    from nblib.attention import AttentionWithWeights
    from nblib.dataset import NoiseBERTDataset
    from nblib.measured.analyse import analyse
    from nblib.measured.detector import NoiseDetector
    from nblib.measured.files.readers import Spectra
    from nblib.measured.flags import Flag
    from nblib.measured.result import Detection
    from nblib.model import NoiseBERT
    from nblib.training.config import TrainConfig
    from nblib.training.loop import train, train_many
    from nblib.workbench.arrhenius import Arrhenius, arrhenius
    from nblib.workbench.fit import fit_spectrum
    from nblib.workbench.result import Fit

    __version__: str

# where each public name lives; detection never waits for torch
HOMES = {
    "Arrhenius": "nblib.workbench.arrhenius",
    "AttentionWithWeights": "nblib.attention",
    "Detection": "nblib.measured.result",
    "Fit": "nblib.workbench.result",
    "Flag": "nblib.measured.flags",
    "NoiseBERT": "nblib.model",
    "NoiseBERTDataset": "nblib.dataset",
    "NoiseDetector": "nblib.measured.detector",
    "Spectra": "nblib.measured.files.readers",
    "TrainConfig": "nblib.training.config",
    "analyse": "nblib.measured.analyse",
    "arrhenius": "nblib.workbench.arrhenius",
    "fit_spectrum": "nblib.workbench.fit",
    "train": "nblib.training.loop",
    "train_many": "nblib.training.loop",
}
STEPS["fit_detection"] = ("nblib.workbench.fit", "fit_detection")  # Detection.fit(), of a room above its own
GONE = ("analysis", "detection", "evaluation", "reporting", "spectra")  # importing one says where its parts are

__all__ = [
    "Arrhenius",
    "AttentionWithWeights",
    "Detection",
    "Fit",
    "Flag",
    "NoiseBERT",
    "NoiseBERTDataset",
    "NoiseDetector",
    "Spectra",
    "TrainConfig",
    "analyse",
    "arrhenius",
    "fit_spectrum",
    "train",
    "train_many",
]
if any(find_spec(package) is None for package in EXTRAS["train"]):
    __all__[:] = [name for name in __all__ if HOMES[name].startswith(("nblib.measured.", "nblib.workbench."))]


if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of nblib's

    def __getattr__(name: str):
        if name == "__version__":
            from importlib.metadata import version

            return version("nblib")
        if name in GONE:
            import_module(f"nblib.{name}")
        if name not in HOMES:
            raise AttributeError(f"module 'nblib' has no attribute {name!r}")
        try:
            return getattr(import_module(HOMES[name]), name)
        except ModuleNotFoundError as error:
            if line := what_to_install(f"nblib.{name}", error):
                raise ImportError(line) from None
            raise


def __dir__():
    return sorted({*globals(), *__all__})
