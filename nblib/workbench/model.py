"""S(f) = A f^-gamma + sum_i a_i / (1 + (f/f_i)^2) + C: ln S and its slopes by the logarithms of its parameters."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import log_expit

LARGEST = 300.0  # ln units: S stays a finite number wherever a search goes


@dataclass(frozen=True)
class Form:
    """Which components a model has.

    Parameters of a form stand in this order: ln A, gamma where there is a power law; ln a, ln f of each Lorentzian;
    ln C where there is a white floor. Frequencies are relative to a reference frequency, levels to a reference level.
    """

    power_law: bool
    n_lorentzians: int
    white: bool

    @property
    def size(self) -> int:
        """Number of parameters."""
        return 2 * self.power_law + 2 * self.n_lorentzians + self.white

    @property
    def corners(self) -> slice:
        """Where the ln corner frequencies stand."""
        first = 2 * self.power_law
        return slice(first + 1, first + 2 * self.n_lorentzians, 2)

    @property
    def plateaus(self) -> slice:
        """Where the ln plateaus stand."""
        first = 2 * self.power_law
        return slice(first, first + 2 * self.n_lorentzians, 2)

    def amplitudes(self) -> list[int]:
        """Positions of ln A, ln a, ln C: one a component, in the order of `shapes`."""
        positions = [0] if self.power_law else []
        positions += list(range(self.size)[self.plateaus])
        return [*positions, self.size - 1] if self.white else positions


def log_shapes(form: Form, theta: Float[ndarray, " parameter"], log_freqs: Float[ndarray, " bin"]) -> ndarray:
    """ln of each component at amplitude 1: (component, bin)."""
    rows = [-theta[1] * log_freqs] if form.power_law else []
    rows += [log_expit(2 * (corner - log_freqs)) for corner in theta[form.corners]]
    rows += [np.zeros_like(log_freqs)] if form.white else []
    return np.array(rows)


def components(form: Form, theta: Float[ndarray, " parameter"], log_freqs: Float[ndarray, " bin"]) -> ndarray:
    """Each component of S: (component, bin), the power law first and the floor last."""
    return np.exp(log_shapes(form, theta, log_freqs) + theta[form.amplitudes()][:, None])


def log_psd_and_slopes(
    form: Form, theta: Float[ndarray, " parameter"], log_freqs: Float[ndarray, " bin"], floor: Float[ndarray, " bin"]
) -> tuple[Float[ndarray, " bin"], Float[ndarray, "bin parameter"]]:
    """ln S and d ln S / d theta; floor : a known part of S, at the scale of the model, >= 0."""
    shapes = log_shapes(form, theta, log_freqs)
    parts = np.exp(np.clip(shapes + theta[form.amplitudes()][:, None], -LARGEST, LARGEST))
    total = parts.sum(axis=0) + floor
    shares = parts / total
    slopes = np.empty((len(log_freqs), form.size))
    slopes[:, form.amplitudes()] = shares.T
    if form.power_law:
        slopes[:, 1] = -log_freqs * shares[0]
    if form.n_lorentzians:
        # d ln[1 / (1 + r^2)] / d ln f_i = 2 r^2 / (1 + r^2)
        own = slice(int(form.power_law), int(form.power_law) + form.n_lorentzians)
        slopes[:, form.corners] = (shares[own] * -2 * np.expm1(shapes[own])).T
    return np.log(total), slopes
