"""Files that hold spectra, for each rule of docs/files.md: variants of encoding, separator, unit and place."""

import json
from itertools import product

import numpy as np
from made_files import FREQS, POSITIVE, PSD, SAMPLES, TIMES, asks, headed, rows, series, spectrum, tektronix

ROOTS = [("V/√Hz", encoding) for encoding in ("utf-8", "cp932", "gb18030", "euc_kr", "mac_roman", "cp437", "utf-16")]
ROOTS += [
    (unit, "utf-8") for unit in ("V per root hertz", "V/sqrt(Hertz)", "nV/rt.Hz", r"V/\sqrt{Hz}", "V/√Гц", "V Hz^-0.5")
]
SCRIPTS = [
    ("Частота, кГц", "utf-8", 1e3),
    ("Частота, кГц", "cp1251", 1e3),
    ("Частота, кГц", "koi8_r", 1e3),
    ("Частота, МГц", "cp866", 1e6),
    ("频率(千赫)", "gb18030", 1e3),
    ("周波数[ｋＨｚ]", "cp932", 1e3),
    ("周波数(㎑)", "utf-8", 1e3),
    ("주파수(kHz)", "euc_kr", 1e3),
    ("Frequency (kilohertz)", "utf-8", 1e3),
    ("Fréquence (kHz)", "cp1252", 1e3),
    ("Συχνότητα (χιλιοχέρτζ)", "cp1253", 1e3),
    ("freqKHz", "utf-8", 1e3),
    ("f (k Hz)", "utf-8", 1e3),
    ("Частота, тыс. Гц", "cp1251", 1e3),
    ("ЧАСТОТА (КГЦ)", "utf-8", 1e3),
]
FILLS = ["-9999", "9999", "-999.0", "9.96921e+36", "1e20", "-99999"]


def _filled(word):
    lines = headed("Frequency (Hz),PSD (V^2/Hz)", FREQS, 1e13 * PSD).splitlines()
    return "\n".join(f"{line.split(',')[0]},{word}" if 30 < at < 34 else line for at, line in enumerate(lines))


def _mixed(mark, prefix):
    cells = [f"{freq:g}" if freq < 60 else f"{freq / 1e3:g}{prefix}" for freq in FREQS]
    return "f" + mark + "PSD\n" + "\n".join(f"{cell}{mark}{psd:.7g}" for cell, psd in zip(cells, PSD, strict=True))


LABVIEW = (
    "LabVIEW Measurement\nSeparator\tTab\nX_Columns\tNo\n***End_of_Header***\nChannels\t1\nX_Dimension\t{}\nX0\t{}\n"
    "Delta_X\t{}\n***End_of_Header***\nX_Value\tA\tComment\n"
)
TWO_SIDED = np.r_[-FREQS[::-1], 0.0, FREQS]

RULES = {
    "amplitude density": [
        spectrum(
            headed(f"Frequency (Hz){mark}Noise ({unit})", FREQS, np.sqrt(PSD), mark=mark),
            note="squared",
            encoding=encoding,
        )
        for mark, (unit, encoding) in product(",\t", ROOTS)
    ],
    "a unit over Hz": [
        asks(headed(f"f (Hz),{unit}", FREQS, np.sqrt(PSD)), amplitude=({"asd": True}, spectrum("")))
        for unit in ("V/?Hz", "Vrms/Hz^(1/...", "V/vHz", "V/ûHz", "m/s^2/Hz", "PSD (V/Hz)")
    ],
    "a heading with a word": [
        asks(headed(f"Frequency (Hz),{word}", FREQS, np.sqrt(PSD)), amplitude=({"asd": True}, spectrum("")))
        for word in (
            "Channel 1 (Volts)",
            "Mag",
            "RMS",
            "Ampl",
            "Spannung",
            "振幅",
            "진폭",
            "Амплитуда (В)",
            "Magnitude (counts)",
            "|H| (V/V)",
            "Δf (Hz)",
        )
    ],
    "decibels": [
        spectrum(headed(f"Frequency (Hz);{unit}", FREQS, 10 * np.log10(PSD), mark=";"), note="decibels are converted")
        for unit in (r"Power 10*log_{10}(\muV^{2}/Hz)", "10 log10(V^2/Hz)", "Level (dB)", "СПМ, дБ", "20*log10(V/rtHz)")
    ],
    "a unit of frequency in another script": [
        spectrum(
            headed(f"{name};PSD", FREQS / scale, PSD, mark=";"),
            note="scaled to Hz",
            encoding=encoding,
        )
        for name, encoding, scale in SCRIPTS
    ],
    "a power of ten": [
        asks(headed(f"{head};PSD", FREQS / 1e3, PSD, mark=";"), thousands=({"unit": "kHz"}, spectrum("")))
        for head in ("f (x10^3 Hz)", "Frequency [×10³ Hz]", "f (1000 Hz)", "f (E3 Hz)", "f ×1000 Hz", "f (Hz) x 10^-3")
    ],
    "a unit of the axis that is not known": [
        spectrum(headed(f"f{unit};PSD", FREQS, PSD, mark=";"), note="no known unit of frequency")
        for unit in (" (blips)", " [ш]")
    ],
    "another quantity": [
        headed("x,ADEV", FREQS, PSD),
        *(
            headed(f"{name},PSD", FREQS, PSD)
            for name in (
                "tau",
                "lag",
                "Period (s)",
                "Order",
                "Voltage (V)",
                "Temperature (K)",
                "wavelength (nm)",
                "log10(f)",
                "w (rad/s)",
            )
        ),
    ],
    "no word for the kind": [
        spectrum(headed(f"f (Hz){mark}{word}", FREQS, PSD, mark=mark), note="read as power")
        for mark, word in ((",", "Noise"), (";", "Signal"), ("\t", "Level"))
    ],
    "numbers without any heading": [
        spectrum(headed("Date\t2024/04/21\nTime\t12:30:00", FREQS, PSD, 2 * PSD, mark="\t"), column=2),
        *(
            spectrum(rows(FREQS, PSD, mark=mark), note="column 1 has no heading and is read as the frequency")
            for mark in ",;\t "
        ),
    ],
    "values that vary little": [
        asks(rows(FREQS, 100 + 10 * np.log10(PSD)), decibels=({"db": True}, spectrum("", psd=1e10 * PSD))),
        asks(rows(TIMES, POSITIVE), samples=series("", samples=POSITIVE)),
        asks(headed("x,y", TIMES, POSITIVE), power=({"db": False}, spectrum("", freqs=TIMES[1:], psd=POSITIVE[1:]))),
    ],
    "negative values": [
        asks(rows(TIMES, SAMPLES), samples=series("", samples=SAMPLES)),
        asks(rows(FREQS, 10 * np.log10(PSD)), decibels=({"db": True}, spectrum(""))),
        asks(headed("x;y", TIMES, -POSITIVE, mark=";"), samples=series("", samples=-POSITIVE)),
    ],
    "prefixes or units in cells": [
        *(
            spectrum(_mixed(mark, prefix), note="hold a prefix or a unit")
            for mark, prefix in product(",;\t", ("k", " kHz", "kHz"))
        ),
        spectrum(
            "\n".join(f"{freq:g} Hz;{10 * np.log10(psd):.6f} dBm" for freq, psd in zip(FREQS, PSD, strict=True)),
            note="hold a prefix",
        ),
    ],
    "fill values": [spectrum(_filled(word), note="a fill value: read as missing", psd=1e13 * PSD) for word in FILLS],
    "x, y, x, y": [
        asks(
            text,
            second=({"column": 4}, spectrum("", freqs=2 * FREQS, psd=3 * PSD)),
            first=({"column": 2}, spectrum("")),
        )
        for text in (
            headed(
                "F1 (Hz),PSD 1 (V^2/Hz),Frequency 2 (Hz),PSD 2 (V^2/Hz)".replace("F1", "Frequency 1"),
                FREQS,
                PSD,
                2 * FREQS,
                3 * PSD,
            ),
            rows(FREQS, PSD, 2 * FREQS, 3 * PSD, mark="\t"),
            headed("f1,S1,f2,S2", FREQS, PSD, 2 * FREQS, 3 * PSD),
            headed("f1 (Hz),A (V^2/Hz),f2 (Hz),B (V^2/Hz)", FREQS, PSD, 2 * FREQS, 3 * PSD),
            headed("X1;Y1;X2;Y2", FREQS, PSD, 2 * FREQS, 3 * PSD, mark=";"),
            headed("Frequency (Hz),A,,B", FREQS, PSD, 2 * FREQS, 3 * PSD),
            headed(
                "Freq\tNoise\tFreq\tNoise\nHz\tV^2/Hz\tHz\tV^2/Hz\n300 K\t\t77 K\t",
                FREQS,
                PSD,
                2 * FREQS,
                3 * PSD,
                mark="\t",
            ),
        )
    ],
    "several spectra below one another": [
        asks(text, second=({"span": 2}, spectrum("", psd=2 * PSD)), mean=({"span": "mean"}, spectrum("", psd=2 * PSD)))
        for text in (
            headed(
                "time (s),frequency (Hz),power (V^2/Hz)",
                np.repeat([0, 1, 2], 120),
                np.tile(FREQS, 3),
                np.r_[PSD, 2 * PSD, 3 * PSD],
            ),
            headed("f (Hz),t (s),PSD", np.repeat(FREQS, 3), np.tile([0, 1, 2], 120), np.outer(PSD, [1, 2, 3]).ravel()),
            "time,f (Hz),PSD\n"
            + "".join(f"2024-04-21T15:00:0{at},{line}\n" for at in (1, 2, 3) for line in rows(FREQS, at * PSD).split()),
            "".join(f"# trace {at}\n{rows(FREQS, at * PSD, mark=' ')}\n\n" for at in (1, 2, 3)),
        )
    ],
    "spans that overlap": [
        asks(
            headed("f,PSD", np.r_[FREQS, 10 * FREQS], np.r_[PSD, 1e-14 / FREQS]),
            first=({"span": "first"}, spectrum("")),
        ),
        asks(
            headed("f,PSD", np.r_[FREQS, 2 * FREQS], np.r_[PSD, 9 * PSD]),
            first=({"span": "first"}, spectrum("")),
            cut={"span": "cut"},
        ),
    ],
    "a two-sided axis with equal halves": [
        spectrum(rows(TWO_SIDED, np.r_[PSD[::-1], 1.0, PSD] / 2, mark=mark), note="S(f) + S(-f)") for mark in ",\t"
    ],
    "a two-sided axis whose sides end apart": [
        asks(
            headed("Offset (Hz),Power (V^2/Hz)", np.arange(-300.0, 121), np.r_[np.ones(301), PSD]),
            positive=({"span": "positive"}, spectrum("")),
            fold={"span": "fold"},
        )
    ],
    "a two-sided axis with different halves": [
        asks(
            headed(f"Offset ({unit}),Power (V^2/Hz)", TWO_SIDED / scale, np.r_[2 * PSD[::-1], 1e-9, PSD]),
            positive=({"span": "positive"}, spectrum("")),
            negative=({"span": "negative"}, spectrum("", psd=2 * PSD)),
        )
        for unit, scale in (("Hz", 1.0), ("kHz", 1e3))
    ],
    "rows that run along": [
        spectrum(
            f"{name}{mark.join(f'{v:.7g}' for v in FREQS)}\n{psd}{mark.join(f'{v:.7g}' for v in PSD)}\n",
            note="is turned",
        )
        for mark in ",;\t"
        for name, psd in (("", ""), (f"Frequency (Hz){mark}", f"PSD (V^2/Hz){mark}"))
    ],
    "settings in the columns": [spectrum(tektronix("Hz", FREQS, PSD), note="the last 2 columns are read")],
    "an axis stated": [
        spectrum(
            LABVIEW.replace("\tA\t", "\tA\tB\t").format("Frequency", "1.0E+0", "1.0")
            + "".join(f"\t{psd:.7g}\t{psd / 2:.7g}\n" for psd in PSD),
            note="X0 and Delta_X",
            column="A",
        ),
        spectrum(
            LABVIEW.format("Frequency", "1.0E+0", "1.0") + "".join(f"\t{psd:.7g}\n" for psd in PSD),
            note="X0 and Delta_X",
        ),
    ],
    "a heading repeated": [
        spectrum(
            "".join(
                f"Index   frequency   psd\n-----\n{rows(*part, mark='	')}\n"
                for part in ((np.arange(60), FREQS[:60], PSD[:60]), (np.arange(60, 120), FREQS[60:], PSD[60:]))
            )
        )
    ],
    "names, units and comments": [
        spectrum(headed("Freq;Noise\nkHz;V^2/Hz\nold;77 K", FREQS / 1e3, PSD, mark=";"), note="scaled to Hz")
    ],
    "lists in cells": [
        'id,freqs,power\nP1,"[1, 2, 3]","[1e-9, 2e-9, 3e-9]"\n',
        "2023-06-06, 16:53:48.4, 800000000, 805000000, 100000.00, 200, -56.84, -54.67\n" * 4,
        headed("# MHZ S DB R 50", FREQS, PSD, mark=" "),
    ],
    "rows written in another way": [
        rows(FREQS, PSD) + "1x,2e-14\n1y,3e-14\n",
        rows(FREQS, PSD, mark=";") + "121 Hz high;3e-14\n",
        "1.0;abc\n" + rows(FREQS, PSD, mark=";"),
    ],
    "one column whose header": [
        headed("XStart,1000,Hz\nXStop,400000,Hz\nTrace1", PSD),
        headed("Start frequency: 0 Hz\nPSD V^2/Hz", PSD),
        headed("fs: 1000 Hz\nbin,PSD (V^2/Hz)", np.arange(120), PSD),
    ],
    "bytes that are not text": [
        bytes(np.random.default_rng(2).integers(0, 256, 3000, dtype=np.uint8)),
        SAMPLES.astype("<f4").tobytes(),
    ],
    "a JSON object": [
        spectrum("\n".join(json.dumps({"f": f, "psd": p}) for f, p in zip(FREQS.tolist(), PSD.tolist(), strict=True))),
        spectrum(json.dumps({"freqs": FREQS.tolist(), "psd": PSD.tolist()}, indent=1)),
        spectrum(json.dumps([{"f": f, "psd": p} for f, p in zip(FREQS.tolist(), PSD.tolist(), strict=True)])),
    ],
}
