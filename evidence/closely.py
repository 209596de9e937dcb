"""A closer look at a few models: false alarms, weak lines, faithfulness; and what a supervised detector finds."""

from jaxtyping import Float
from numpy import ndarray
from torch import nn

from evidence.assessments import ENERGY_RATE, energies_on_kept, scored
from evidence.calibration import calibration
from evidence.faithfulness import faithfulness
from evidence.readings import found_at
from evidence.supervised import supervised_score
from evidence.test_sets import (
    STRENGTHS,
    Sizes,
    alarm_set,
    at_strength,
    cells_above_half_maximum,
    line_free,
    noisy_cells,
)
from nblib.assessment import held_out
from nblib.dataset import NoiseBERTDataset
from nblib.model import NoiseBERT
from nblib.prediction import predict
from nblib.scoring.metrics import threshold_at
from nblib.training.config import TrainConfig
from nblib.training.loop import TrainResult

Scores = dict[str, Float[ndarray, "n cell"]]


def assess_closely(result: TrainResult, name: str, sizes: Sizes) -> dict[str, dict]:
    """What a detector does where there is no line, or a weak one, and what its attention says of its prediction.

    Returns
    -------
    "alarms" {score: calibration}, "strengths" {peak over background: {score: scored}; the truth is
    cells_above_half_maximum}, "faithfulness" (see faithfulness.faithfulness); scores: "attention", "residual"
    """
    model, config = result.model, result.config
    found: dict[str, dict] = {"alarms": {}, "strengths": {}}
    data = held_out(config, name, sizes.n_test)
    noisy, truth = _scores(model, data), noisy_cells(data)
    free = {
        place: _scores(model, alarm_set(config, sizes, place[0], **dict(place[1:])))
        for place in (("validation",), ("test",), ("test", ("intrinsic", "welch_hann")))
    }
    for score, values in noisy.items():
        found["alarms"][score] = calibration(
            lambda split, score=score, **changes: free[split, *changes.items()][score], values, truth
        )
    for strength in STRENGTHS:
        lines = at_strength(config, name, sizes.n_family, strength)
        above = cells_above_half_maximum(config, name, sizes.n_family, strength)
        rows = _scores(model, lines).items()
        found["strengths"][f"{strength:g}"] = {score: scored(row, above, len(data.freqs)) for score, row in rows}
    return found | {"faithfulness": faithfulness(model, config, name, sizes.n_tune)}


def _scores(model: NoiseBERT, data: NoiseBERTDataset) -> Scores:
    here = predict(model, data)
    return {"attention": here.attention(), "residual": here.residual()}


def assess_supervised(model: nn.Module, config: TrainConfig, name: str, sizes: Sizes) -> dict[str, dict]:
    """A supervised detector, as readings.assess_readings has it.

    Returns
    -------
    "logit": scored and found_at; "energies" on the bins that it keeps at ENERGY_RATE
    """
    data = held_out(config, name, sizes.n_test)
    scores, truth = supervised_score(model, data), noisy_cells(data)
    free = supervised_score(model, line_free(config, sizes.n_correlated, "validation"))
    flagged = scores > threshold_at(free, ENERGY_RATE)
    return {
        "logit": scored(scores, truth, len(data.freqs)) | found_at(scores, truth, free),
        "energies": energies_on_kept(data, flagged, sizes.n_energies),
    }
