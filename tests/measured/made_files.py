"""Files that the tests of the reading rules make, and what is to be read from each."""

import numpy as np

FREQS = np.arange(1.0, 121.0)
PSD = (1e-12 / FREQS + 1e-14) * np.random.default_rng(0).gamma(50, 1 / 50, 120)
PSD[49] *= 10
RATE = 500.0
TIMES = np.arange(600) / RATE
SAMPLES = np.random.default_rng(1).normal(size=600) + np.sin(2 * np.pi * 120 * TIMES)
POSITIVE = SAMPLES + 10


def rows(first, *others, mark=",", first_format="{:.6g}"):
    lines = (
        mark.join([first_format.format(row[0]), *(f"{value:.7g}" for value in row[1:])])
        for row in zip(first, *others, strict=True)
    )
    return "\n".join(lines) + "\n"


def headed(head, *columns, **how):
    return head + "\n" + rows(*columns, **how)


def spectrum(text, *, note="", freqs=FREQS, psd=PSD, encoding="utf-8", **options):
    """A file that holds a spectrum: its bytes, what is to be read, and the note beside it."""
    return {"content": _bytes(text, encoding), "note": note, "x": freqs, "y": psd, "options": options}


def series(text, *, note="", samples=SAMPLES, rate=RATE, encoding="utf-8", **options):
    """A file that holds a time series."""
    return {"content": _bytes(text, encoding), "note": note, "x": rate, "y": samples, "options": options}


def asks(text, **answers):
    """A file that is asked about; an answer is (arguments, what is read then), or arguments refused as well."""
    return {"content": _bytes(text, "utf-8"), **answers}


def _bytes(text, encoding):
    return text if isinstance(text, bytes) else text.encode(encoding)


def tektronix(axis_unit, first, second):
    """Settings in the first columns of the rows of numbers."""
    settings = {0: "Record Length,600", 1: f"Horizontal Units,{axis_unit}", 3: "Source,CH1", 4: "Vertical Units,V^2/Hz"}
    pairs = rows(first, second, first_format="{:.9g}").splitlines()
    return "\n".join(f"{settings.get(at, ',')},,{pair}," for at, pair in enumerate(pairs)) + "\n"
