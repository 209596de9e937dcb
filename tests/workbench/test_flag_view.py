"""The explorer's view of the fit with and without the chosen flag."""

import base64

import numpy as np
import pytest

from nblib.measured.editing import EditedDetection
from nblib.measured.measurement import Measurement
from nblib.workbench import flag_view
from nblib.workbench.flag_view import FlagView

FREQS = np.arange(1.0, 501.0)


@pytest.fixture(scope="module")
def spectrum():
    """A trap at 20 Hz, its shoulder lifted over a decade and flagged by hand; a line that was put aside."""
    rng = np.random.default_rng(1)
    psd = (1e-12 / FREQS + 1e-12 / (1 + (FREQS / 20) ** 2) + 1e-16) * rng.gamma(60, 1 / 60, len(FREQS))
    psd[(FREQS > 40) & (FREQS < 400)] *= 3
    psd[FREQS == 450] *= 100
    edited = EditedDetection(Measurement("dev.csv", "1", FREQS, psd, "A^2/Hz", 60.0))
    edited.remove(1, 500)
    edited.add(41, 399)
    return edited


def test_both_fits_are_shown_and_a_flag_that_is_toggled_fits_nothing_anew(spectrum, monkeypatch):
    """Planted bugs: the same bins fitted twice; a removed flag's bins left out; every toggle fitted from nothing."""
    view, counted = FlagView(), []
    fitted = flag_view.refitted
    monkeypatch.setattr(flag_view, "refitted", lambda *given: counted.append(1) or fitted(*given))
    (flag,) = spectrum.detection.flags
    shown = view(spectrum, flag)
    with_flag, without = view.fits(spectrum, flag)
    assert not with_flag.keep[40:399].any() and without.keep.all() and len(counted) == 2
    (corner,) = with_flag.corners
    assert corner.low < 20 < corner.high and with_flag.described
    assert without.corners[0].value != corner.value  # the fit is robust: not by much
    name, one, other = shown["text/plain"].splitlines()
    assert name == "41..399 Hz, by hand" and one.startswith(f"with this flag: {corner.value:.4g} Hz [")
    assert base64.b64decode(shown["image/png"]).startswith(b"\x89PNG") and other.startswith("without it: ")
    spectrum.add(20, 20)
    spectrum.remove(20, 20)
    assert view(spectrum, flag)["text/plain"] == shown["text/plain"] and len(counted) == 2
    assert view(spectrum, None) is None
    (line,) = (one for one in spectrum.left_out if one.fmin <= 450 <= one.fmax)
    with_flag, without = view.fits(spectrum, line)
    assert not with_flag.keep[449] and without.keep[449] and not with_flag.keep[40:399].any()


def test_what_cannot_be_fitted_is_said(spectrum):
    few = EditedDetection(Measurement("dev.csv", "1", FREQS[9:60], spectrum.measured.psd[9:60], None, 60.0))
    few.add(30, 31)
    shown = FlagView()(few, few.detection.flags[0])
    assert list(shown) == ["text/plain"] and shown["text/plain"].startswith(
        "no fit with and without 30..31 Hz, by hand: "
    )
