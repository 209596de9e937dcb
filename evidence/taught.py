"""One more try for queries and keys: attention that learns, in the same training, the weights of residual attention.

The values and the decoder are trained as residual attention trains them. Query and keys learn its weights, so that one
pass could do what takes three. Label-free: nothing is known of the noise.
"""

import numpy as np
import torch
from torch import Tensor

from nblib.losses import MASKED_ERRORS
from nblib.model import NoiseBERT, model_inputs, noisy_tokens
from nblib.project.paths import locked, runs_dir
from nblib.simulation.physics import LN_STD
from nblib.training.config import TrainConfig
from nblib.training.loop import TrainResult
from nblib.training.objective import pseudo_labels
from nblib.training.steps import StepData, Training

WAYS = {  # what of the loss reaches what
    "taught": "query and keys learn the weights alone",
    "taught and used": "query and keys learn the weights, and the masked error through their own attention",
    "taught by the last": "the weights learnt are those of the residual of the last pass, not of the one before",
}


def divergence(rows: Tensor, weights: Tensor) -> Tensor:
    """Kullback-Leibler divergence of attention from weights that sum to 1: mean over spectra and heads, 0 where equal.

    Parameters
    ----------
    rows : (batch, head, token)
    weights : (batch, 1, token)
    """
    tiny = torch.finfo(rows.dtype).tiny
    logs = weights.clamp(min=tiny).log() - rows.clamp(min=tiny).log()
    return torch.where(weights > 0, weights * logs, 0.0).sum(dim=-1).mean()


def loss_of(model: NoiseBERT, batch: dict[str, Tensor], config: TrainConfig, way: str, step: int) -> dict[str, Tensor]:
    """Terms of the loss: "mask" (the masked error), "divergence"."""
    values, hidden = model_inputs(batch)
    hidden_tokens = noisy_tokens(hidden, config.patch_size)
    untaught = step < config.labels_after * config.steps
    weights = torch.ones(hidden_tokens.shape) if untaught else residual_weights(model, values, hidden)
    out = model(values, hidden, attend=weights)[0]
    counted = batch["mask"].float()
    noise = torch.zeros(hidden_tokens.shape)
    if not untaught:
        noise = pseudo_labels(out.detach(), batch, config)
        counted = counted * (1 - noise).repeat_interleave(config.patch_size, dim=1)[:, : counted.shape[1]]
    error = MASKED_ERRORS[config.masked_error]
    mask = (counted * error(out, batch["target"], LN_STD)).sum() / counted.sum().clamp(min=1)
    own, _, rows = model(values, hidden, return_attention="cls")
    if way == "taught and used":
        mask = mask + (counted * error(own, batch["target"], LN_STD)).sum() / counted.sum().clamp(min=1)
    wanted = (1 - noise if way == "taught by the last" else weights).masked_fill(hidden_tokens, 0.0)
    wanted = wanted / wanted.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    return {"mask": mask, "divergence": divergence(rows[-1], wanted[:, None])}


@torch.no_grad()
def residual_weights(model: NoiseBERT, x: Tensor, hidden: Tensor) -> Tensor:
    """The weights that residual attention would give the tokens, (batch, token), by this model's values and decoder."""
    model.readout = "residual"
    try:
        return model(x, hidden, return_attention="cls")[2][-1, :, 0]
    finally:
        model.readout = "cls"


def train_taught(way: str, config: TrainConfig) -> TrainResult:
    """Train, or load, a model of readout "cls" in one of WAYS; the data, sizes, rates and steps of `config`.

    Raises
    ------
    ValueError for another way, or a config that is not label-free without a penalty
    """
    if way not in WAYS or (config.readout, config.labels, config.regularizer) != ("cls", "pseudo", "none"):
        raise ValueError(
            f"way={way!r}, readout={config.readout!r}, labels={config.labels!r}, regularizer={config.regularizer!r}: "
            f"give one of {', '.join(WAYS)}, readout 'cls', labels 'pseudo' and no penalty"
        )
    folder = runs_dir("taught", f"{way.replace(' ', '-')}-{config.digest('evidence.taught:train_taught')}")
    data = config.dataset("train", config.n_spectra)
    model = config.build_model(data.freqs)
    with locked(folder):
        training = Training(config, model, folder)

        def loss(batch, step):
            terms = loss_of(model, batch, config, way, step)
            return sum(terms.values()), {name: value.item() for name, value in terms.items()}

        for _ in training.steps(StepData(data, config.batch_size), loss):
            pass
    steps = np.array([row["step"] for row in training.rows])
    history = {"step": steps, "val_ap": np.full(len(steps), np.nan)}
    record = {"wall_seconds": training.seconds.get(str(config.steps))}
    return TrainResult(config, model.cpu().eval(), history, folder, record)
