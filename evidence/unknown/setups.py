"""Set-ups: spectra that share a background, an axis, averages and a window, line-free and with lines.

A smooth set-up has a power law, a Lorentzian and a floor. A rough one has a background of the second generator with the
texture of the simulated world. Gain and slope differ a little from spectrum to spectrum.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.signal import welch

from evidence.unknown.second_world import coloured_noise, draw_background
from nblib.measured.line_free.backgrounds import texture

KINDS = ("smooth", "rough")
BINS = 400
SEGMENTS = (16, 64)
GAIN, SLOPE = 0.3, 0.1  # standard deviations between spectra: of ln level, and of the exponent
N_LINES, HEIGHT, WIDTH = 4, 1.0, 1.0  # lines of a spectrum; over the background; standard deviation, bins
END = 20  # bins on either side that are left without lines


@dataclass(frozen=True)
class SetUp:
    """One set-up; each spectrum follows from (seed, number, stream, index) alone.

    Attributes
    ----------
    kind : one of KINDS
    number : of the set-up; K and window go round with it
    seed : >= 0
    """

    kind: str
    number: int
    seed: int = 0

    @property
    def n_segments(self) -> int:
        """K of every spectrum; of Hann's, segments that overlap by half."""
        return SEGMENTS[self.number % len(SEGMENTS)]

    @property
    def tapered(self) -> bool:
        """Is the window Hann's."""
        return self.number // len(SEGMENTS) % 2 == 1

    def background(self) -> Float[ndarray, " bin"]:
        """ln of the background all spectra share, on bins 1..BINS."""
        rng = np.random.default_rng([self.seed, KINDS.index(self.kind), self.number])
        freqs = np.arange(1.0, BINS + 1)
        if self.kind == "rough":
            return draw_background(rng, BINS) + texture(rng, BINS)
        slope, corner = rng.uniform(0.5, 1.5), 10 ** rng.uniform(1, 2.5)
        low, middle = 10 ** rng.uniform(0, 2), 10 ** rng.uniform(-1, 1)
        return np.log(1 + low / freqs**slope + middle / (1 + (freqs / corner) ** 2))

    def spectrum(
        self, stream: int, index: int, with_lines: bool = False, added: Float[ndarray, " bin"] | float = 0.0
    ) -> tuple[Float[ndarray, " bin"], Int[ndarray, " line"]]:
        """A spectrum and the bins of its lines (none where it is line-free).

        Parameters
        ----------
        stream : 0 for line-free ones that thresholds are drawn from, others for what is judged
        added : ln of what external noise makes of the background, beside the lines
        """
        rng = np.random.default_rng([self.seed, KINDS.index(self.kind), self.number, stream + 1, index])
        bins = np.arange(BINS)
        log_psd = self.background() + added + GAIN * rng.standard_normal()
        log_psd = log_psd + SLOPE * rng.standard_normal() * np.log((bins + 1) / BINS)
        part = (BINS - 2 * END) // N_LINES
        sites = END + np.arange(N_LINES) * part + rng.integers(part // 4, 3 * part // 4, N_LINES)
        sites = sites if with_lines else sites[:0]
        shape = np.exp(-0.5 * ((bins - sites[:, None]) / WIDTH) ** 2).sum(axis=0)
        log_psd = log_psd + np.log1p(HEIGHT * shape)
        if not self.tapered:
            return np.exp(log_psd) * rng.gamma(self.n_segments, 1 / self.n_segments, BINS), sites
        segment = 2 * (BINS + 1)
        series = coloured_noise(rng, log_psd, (self.n_segments + 1) * segment // 2)
        return welch(series, nperseg=segment)[1][1:-1], sites
