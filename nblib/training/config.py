"""The parameters that decide a training run, checked before anything starts."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np
import torch

from nblib.dataset import PAIRS, NoiseBERTDataset
from nblib.losses import REGULARIZERS, check_masked_error, check_regularizer
from nblib.model import NoiseBERT
from nblib.project.extensions import load_extensions
from nblib.project.fingerprint import fingerprint
from nblib.project.paths import resolve_data_path
from nblib.training.schedule import NOT_NEGATIVE, WHOLE, Rule, Schedule, check, one_of

RULES: dict[str, Rule] = {
    **dict.fromkeys(("n_validation", "num_layers", "dim_feedforward", "passes"), WHOLE),
    "reg_weight": NOT_NEGATIVE,
    "labels_after": (lambda value: 0 <= value <= 1, "a share in 0..1"),
    "reg_layers": one_of("last", "all"),
    "labels": one_of("simulated", "pseudo"),
    "pairs": one_of(*PAIRS),
}


@dataclass(frozen=True)
class TrainConfig(Schedule):
    """Everything that decides a training run; two equal configs are one run.

    Data (see NoiseBERTDataset): families, none_share, amplitude, intrinsic, n_segments, mask_policy, mask_fraction,
    mask_width, n_spectra, data_path, pairs, seed. Model (see NoiseBERT): patch_size, readout, d_model, n_heads,
    num_layers, dim_feedforward, contrasts, passes, hard, dropout. Loss: masked_error ("squared" or "whittle"),
    regularizer (name in losses.REGULARIZERS; "none" for readout "residual"), reg_weight (lambda >= 0), reg_layers
    ("last" or "all"), labels ("simulated": the truth of the draw, which in a "residual" readout stands for the
    posterior while it trains; "pseudo": from the model's own residual, see objective.pseudo_labels; needs a readout
    that decodes CLS and mask_policy "any") and labels_after (share of the steps before "pseudo" labels count).
    Optimisation: see Schedule; n_validation (spectra). Code: extensions (modules or .py files that register what the
    other parameters name, see project.extensions; the text itself is not part of the key, what the run uses of
    them is).

    Raises
    ------
    ValueError that names the value, the rule and the fix, before anything is trained
    """

    families: tuple[str, ...] = ("single_line",)
    none_share: float = 0.2
    amplitude: tuple[float, float] = (0.5, 3.0)
    intrinsic: str = "welch"
    n_segments: int = 8
    mask_policy: str = "clean"
    mask_fraction: float = 0.3
    mask_width: int = 20
    n_spectra: int | None = None
    data_path: str | None = None
    pairs: str = "interleaved"
    patch_size: int = 20
    readout: str = "cls"
    d_model: int = 64
    n_heads: int = 4
    num_layers: int = 2
    dim_feedforward: int = 128
    contrasts: bool = True
    passes: int = 3
    hard: bool = False
    dropout: float = 0.0  # 0.1 takes twice the time: no fused attention with dropout on a CPU
    masked_error: str = "squared"
    regularizer: str = "none"
    reg_weight: float = 1.0
    reg_layers: str = "last"
    labels: str = "simulated"
    labels_after: float = 0.1
    n_validation: int = 256
    extensions: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "extensions", load_extensions(self.extensions))
        check_regularizer(self.regularizer)
        check_masked_error(self.masked_error)
        super().__post_init__()
        check(self, RULES)
        if self.labels == "pseudo":
            if self.readout == "token" or self.mask_policy != "any":
                raise ValueError(
                    f"labels='pseudo' with readout={self.readout!r} and mask_policy={self.mask_policy!r}: only a "
                    "readout that decodes CLS leaves lines in it, and only 'any' places masks without the truth"
                )
            if REGULARIZERS[self.regularizer].needs_truth:
                raise ValueError(f"regularizer {self.regularizer!r} takes simulated labels; choose one on attention")
        if self.readout == "residual" and self.regularizer != "none":
            raise ValueError(
                f"regularizer={self.regularizer!r} with readout='residual': its weights have no query that a penalty "
                "could teach; choose 'none'"
            )
        for name in ("families", "amplitude"):  # lists arrive from JSON and from papermill
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))

    @classmethod
    def from_dict(cls, parameters: dict) -> "TrainConfig":
        """A config from names and values; raises ValueError for a name that is not a field."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise ValueError(f"unknown training parameter {', '.join(unknown)}; known: {', '.join(known)}")
        return cls(**parameters)

    def __setstate__(self, state):
        """A config that arrives in another process brings its extensions along."""
        self.__dict__.update(state)
        load_extensions(self.extensions)

    @cached_property
    def key(self) -> str:
        """Name of the run's folder: what it is, and a digest of every parameter and of the code behind it."""
        return f"{self.readout}-{self.regularizer}-{self.digest('nblib.training.loop:train')}"

    def digest(self, entry: str) -> str:
        """Twelve digits for every parameter, the data file's bytes, and the code that a run uses from `entry` on."""
        parameters = {name: value for name, value in asdict(self).items() if name != "extensions"}
        text = json.dumps(parameters, sort_keys=True)
        text += fingerprint(entry, choices=self.choices(), without=self.without())
        if self.data_path is not None:
            text += hashlib.sha256(resolve_data_path(self.data_path).read_bytes()).hexdigest()
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def choices(self) -> dict[str, tuple[str, ...]]:
        """What the run uses of what is registered by name: table ("module:name") -> names."""
        return {
            "nblib.losses:REGULARIZERS": (self.regularizer,),
            "nblib.losses:MASKED_ERRORS": (self.masked_error,),
            "nblib.simulation.noise:FAMILIES": self.families,
            "nblib.simulation.estimation:INTRINSIC": (self.intrinsic,),
        }

    def without(self) -> tuple[str, ...]:
        """Definitions that its parameters keep the run from reaching."""
        return (
            *(() if self.labels == "pseudo" else ("nblib.training.objective:pseudo_labels",)),
            *(() if self.data_path else ("nblib.stored:read_stored",)),
        )

    def dataset(self, split: str, n_spectra: int | None = None, **changes) -> NoiseBERTDataset:
        """The run's data; changes replace arguments of NoiseBERTDataset (families, n_segments, ...)."""
        names = ("families", "none_share", "amplitude", "intrinsic", "n_segments", "mask_policy", "mask_fraction")
        arguments = {
            name: getattr(self, name) for name in (*names, "mask_width", "patch_size", "data_path", "pairs", "seed")
        }
        arguments |= {"split": split, "n_spectra": n_spectra}
        return NoiseBERTDataset(**(arguments | changes))

    def build_model(self, freqs: np.ndarray) -> NoiseBERT:
        """A fresh model for spectra on freqs (Hz), its weights drawn from the run's seed alone."""
        names = (
            "d_model",
            "n_heads",
            "num_layers",
            "dim_feedforward",
            "dropout",
            "patch_size",
            "readout",
            "masked_error",
            "contrasts",
            "passes",
            "hard",
            "n_segments",
        )
        arguments = {name: getattr(self, name) for name in names}
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return NoiseBERT(len(freqs), freqs=freqs, **arguments)
