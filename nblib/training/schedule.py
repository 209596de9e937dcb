"""How long a training lasts, in which batches and at which rates: what every training has, whatever it trains."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

Rule = tuple[Callable[[Any], bool], str]  # of a value, and in words
WHOLE: Rule = (lambda value: int(value) == value and value >= 1, "a whole number of at least 1")
POSITIVE: Rule = (lambda value: 0 < value < math.inf, "a finite number above 0")
NOT_NEGATIVE: Rule = (lambda value: 0 <= value < math.inf, "a finite number of at least 0")


def one_of(*known: str) -> Rule:
    """The rule of a parameter that is one of these words."""
    return lambda value: value in known, f"one of {', '.join(known)}"


RULES: dict[str, Rule] = {
    **dict.fromkeys(("steps", "batch_size", "validate_every"), WHOLE),
    **dict.fromkeys(("muon_learning_rate", "weight_decay", "warmup_ratio"), NOT_NEGATIVE),
    **dict.fromkeys(("learning_rate", "max_grad_norm"), POSITIVE),
    "adam_beta2": (lambda value: 0 <= value < 1, "a number in 0..1, 1 left out"),
    "precision": one_of("no", "bf16", "fp16"),
}


def check(parameters: object, rules: Mapping[str, Rule]) -> None:
    """Raise ValueError for the first parameter that breaks its rule."""
    for name, (holds, rule) in rules.items():
        if not holds(value := getattr(parameters, name)):
            raise ValueError(f"{name}={value!r} must be {rule}")


@dataclass(frozen=True)
class Schedule:
    """The parameters of the optimisation.

    steps; batch_size (over all processes); learning_rate and muon_learning_rate (peaks, of AdamW and of Muon, see
    optimizer.MuonAdamW; linear warm-up over warmup_ratio of the steps, cosine to zero), adam_beta2, weight_decay,
    max_grad_norm, precision ("no", "bf16", "fp16"), validate_every (steps between two rows of the history, each with a
    checkpoint), seed.

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """

    seed: int = 0
    steps: int = 2000
    batch_size: int = 32
    learning_rate: float = 1e-2
    muon_learning_rate: float = 1e-2
    adam_beta2: float = 0.95
    warmup_ratio: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    precision: str = "no"
    validate_every: int = 100

    def __post_init__(self):
        check(self, RULES)
        for field in fields(self):  # 3 and 3.0 are one run
            if field.type is float:
                object.__setattr__(self, field.name, float(getattr(self, field.name)))


def rate_share_at(step: int, schedule: Schedule) -> float:
    """Learning rate over its peak: linear warm-up over warmup_ratio of the steps, then a cosine to zero."""
    warmup = max(1, round(schedule.warmup_ratio * schedule.steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, schedule.steps - warmup)))
