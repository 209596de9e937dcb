"""Files that hold time series, for each rule of docs/files.md."""

import datetime

import numpy as np
from made_files import POSITIVE, RATE, SAMPLES, TIMES, asks, headed, rows, series, tektronix

ISO = [
    f"2024-04-21T23:59:{59 + at / RATE:09.6f}" if at < 500 else f"2024-04-22T00:00:{at / RATE - 1:09.6f}"
    for at in range(600)
]
STAMP = 1_700_000_000
ALONG = "\n".join("\t".join(f"{value:.7g}" for value in SAMPLES[at : at + 7]) for at in range(0, 600, 7)) + "\n"
CLIPPED = np.clip(SAMPLES, -1.0, 1.0)


def _iso(pattern):
    return "\n".join(pattern.format(stamp, value) for stamp, value in zip(ISO, SAMPLES, strict=True)) + "\n"


def _later(seconds):
    return datetime.datetime(2024, 4, 21, 23, 58) + datetime.timedelta(seconds=seconds)


RULES = {
    "a first column named time": [
        *(
            series(headed(f"{name}{mark}x", scale * TIMES, SAMPLES, mark=mark), note=note)
            for mark, name, scale, note in (
                (",", "Time (s)", 1, ""),
                (",", "t", 1, "in seconds; it states no unit"),
                (";", "Zeit [ms]", 1e3, ""),
                ("\t", "t_us", 1e6, ""),
                (";", "时间", 1, "states no unit"),
                ("\t", "trace_time", 1, "states no unit"),
                (",", "Elapsed msec", 1e3, ""),
                ("\t", "Aika (ms)", 1e3, ""),
                (";", "Sekunden", 1, "states no unit"),
            )
        ),
        series(headed("Time (s),x", TIMES[::-1], SAMPLES)),
        series(tektronix("s", TIMES - 0.1, SAMPLES)),
    ],
    "times of day": [
        series("time,x\n" + _iso("{},{:.7g}"), note="times of day"),
        series("Zeit;x\n" + _iso("{};{:.7g}").replace("T", " ").replace(".", ","), note="times of day"),
        series("Date;Time;x\n" + _iso("{};{:.7g}").replace("T", ";"), note="times of day"),
        series(
            "".join(
                f"59:{stamp[17:]},{value:.7g}\n" if at < 500 else f"00:{stamp[17:]},{value:.7g}\n"
                for at, (stamp, value) in enumerate(zip(ISO, SAMPLES, strict=True))
            ),
            note="times of day",
        ),
    ],
    "a column of times that is not the first": [
        series(headed("x,time (s)", SAMPLES, TIMES)),
        series(headed("n;x;t (ms)", np.arange(600), SAMPLES, 1e3 * TIMES, mark=";")),
        series("n,stamp,x\n" + "".join(f"{at},{line}\n" for at, line in enumerate(_iso("{},{:.7g}").split()))),
    ],
    "dates and times without marks": [
        *(
            series(
                f"time{mark}x\n"
                + "".join(f"{_later(seconds * at):{form}}{mark}{value:.7g}\n" for at, value in enumerate(SAMPLES)),
                note="times of day",
                rate=1 / seconds,
            )
            for mark, form, seconds in (
                (",", "%Y%m%dT%H%M%S", 1),
                (";", "%Y%m%d%H%M%S", 1),
                ("\t", "%Y%m%dT%H%M%S.%f", 0.002),
                (",", "%Y%m%dT%H%M", 60),
                (",", "%Y-%m-%d %H:%M", 60),
                (";", "%d.%m.%Y %H:%M", 60),
                (",", "%Y-%m-%d %H:%M", 129600),  # a day and a half
            )
        )
    ],
    "dates without times": ["date,x\n" + "".join(f"2024-04-{at + 1:02d},{SAMPLES[at]:.5g}\n" for at in range(30))],
    "stamps of an epoch": [
        series(
            f"{name},az\n"
            + "".join(f"{STAMP * size + round(at * size / RATE)},{value:.7g}\n" for at, value in enumerate(SAMPLES)),
            note=f"time in {word} since 1970",
        )
        for name in ("timestamp", "ts", "A")
        for size, word in ((10**3, "ms"), (10**6, "us"), (10**9, "ns"))
    ],
    "a counter, and a rate": [
        series(
            f"# data_rate = {RATE} Hz, range = 4 g\n" + headed("count,a_z", np.arange(600), POSITIVE),
            samples=POSITIVE,
            note="counts the samples",
        ),
        series(
            "X,CH1,Start,Increment,\nSequence,Volt,-3.0e-01,2.0e-03,\n"
            + "".join(f"{at},{value:.7g},\n" for at, value in enumerate(POSITIVE)),
            samples=POSITIVE,
            note="counts",
        ),
        series(
            "X;CH1;Start;Increment;\nSequence;Volt;-3,0e-01;2,0e-03;\n"
            + "".join(f"{at};{value:.7g}\n".replace(".", ",") for at, value in enumerate(POSITIVE)),
            samples=POSITIVE,
            note="counts",
        ),
        *(
            series(headed(f"{head}\n{name},U", np.arange(600), POSITIVE), samples=POSITIVE, note="counts")
            for head, name in (("ODR=500Hz FS=2g", "num"), ("dt: 2 ms", "number"), ("采样率: 500 Hz", "序号"))
        ),
        series("Interval=\t0.002 s\nChannelTitle=\tForce\n" + rows(TIMES, POSITIVE, mark="\t"), samples=POSITIVE),
    ],
    "a counter and no rate": [
        asks(headed(f"{name}{mark}a", np.arange(600), POSITIVE, mark=mark), rate=series("", samples=POSITIVE))
        for name, mark in (("count", ","), ("Sample No.", ";"), ("index", "\t"), ("time", ","))
    ],
    "times that repeat": [
        asks(headed("time (s),x", np.repeat(TIMES[::3], 3), SAMPLES), rate=series("")),
        asks(headed("time (s),x", TIMES, SAMPLES, first_format="{:.2f}"), rate=series("")),
    ],
    "times that are not regular": [headed("t (s),x", TIMES**1.2, SAMPLES)],
    "a header that contradicts": [
        series("Sampling rate: 10 kHz\n" + headed("Time (s),U (V)", TIMES, SAMPLES), note="the times are used")
    ],
    "samples along the rows": [
        series(f"{head}\n{ALONG}", note="they run on along the rows of 7")
        for head in (
            "TIMESERIES X, 600 samples, 500 sps, 2024, SLIST, FLOAT, V",
            "EVENT\nNPTS=  600, DT= .002 SEC",
            "  600   .0020   NPTS, DT",
        )
    ],
    "one column or one line": [
        asks("\n".join(f"{value:.7g}" for value in SAMPLES), rate=series("")),
        asks(
            "".join(f"{value:.4f}\n".replace(".", ",") for value in SAMPLES), rate=series("", samples=SAMPLES.round(4))
        ),
        asks(
            ";".join(f"{value:.4f}".replace(".", ",") for value in SAMPLES), rate=series("", samples=SAMPLES.round(4))
        ),
        *(asks(mark.join(f"{value:.7g}" for value in SAMPLES) + "\n", rate=series("")) for mark in ",;\t "),
    ],
    "one column of decimal commas": ["9,812\n9,907\n9,311\n9,907\n" * 20],
    "columns without headings that do not increase": [
        asks(rows(SAMPLES[::3], SAMPLES[1::3], SAMPLES[2::3]), rows=({"column": "rows"}, series("")))
    ],
    "samples at the limits": [series(headed("Time (s),U (V)", TIMES, CLIPPED), samples=CLIPPED, note="clipped")],
}
