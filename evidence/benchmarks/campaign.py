"""Damaged and hostile files, properties of drawn inputs, kills: what holds of them, and what does not.

`make campaign`. Each part runs in a process of its own, so that one that crashes or hangs is told and the others go on;
a part that is done is kept, and the same command goes on from there. The record lists every fault with the seed and the
number that make it again.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from evidence.benchmarks.script import options, write_record
from evidence.campaign import properties, trials
from evidence.campaign.kills import KILLS
from evidence.campaign.properties import PROPERTIES
from evidence.campaign.trials import FORMATS
from nblib.project.environment import git_commit
from nblib.project.paths import benchmark_result

MOST_SECONDS = 1800  # of one part
PART = 350  # files a process


def parts(asked) -> dict[str, list]:
    """Every part by its name: what its process is asked to do."""
    arguments: dict[str, list] = {"hostile files": ["hostile"]}
    arguments |= {f"killed {name}": ["kill", name, asked.kills, asked.seed] for name in KILLS}
    for name, (_, weight) in PROPERTIES.items():
        arguments[f"property {name}"] = ["property", name, asked.seed, round(asked.examples * weight)]
    each = -(-asked.files // len(FORMATS))
    for first in range(0, each, PART):
        for name in FORMATS:
            arguments[f"{name}, from {first}"] = ["damage", name, asked.seed, first, min(PART, each - first)]
    return arguments


def work(folder: Path, kind: str, *given: Any) -> dict:
    """One part, in this process; folder : empty."""
    if kind == "hostile":
        return trials.hostile_files(folder)
    if kind == "damage":
        name, seed, first, count = given
        return trials.damage(name, seed, first, count, folder)
    if kind == "property":
        name, seed, examples = given
        counterexample = properties.falsified(name, seed, examples)
        return {"examples": examples, "faults": [_fault(seed, "property", counterexample)] if counterexample else []}
    name, count, seed = given
    return KILLS[name](count, seed, folder)


def _fault(number, kind, what):
    return {"number": number, "kind": kind, "what": what}


def in_a_process(given: list) -> dict:
    """One part in a process of its own; a crash or a hang becomes a fault, with the number of the file it came to."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [
            sys.executable,
            "-m",
            "evidence.benchmarks.campaign",
            "--folder",
            folder,
            "--part",
            json.dumps(given),
        ]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
            lines = [line for line in answer.stdout.splitlines() if line.startswith("{")]
            if answer.returncode == 0 and lines:
                return json.loads(lines[-1])
            kind, what = "crash", answer.stderr[-500:]
        except subprocess.TimeoutExpired:
            kind, what = "hang", f"more than {MOST_SECONDS} s"
        reached = Path(folder) / trials.REACHED
        return {"faults": [_fault(reached.read_text() if reached.exists() else "", kind, what)]}


def summary(done: dict[str, dict]) -> dict:
    """What all parts say together."""
    files: dict[str, dict] = {}
    for key, row in done.items():
        if "refused" in row and key != "hostile files":
            own = files.setdefault(key.split(", from")[0], {"read": 0, "refused": 0, "faults": 0, "peak_mib": 0.0})
            for name in ("read", "refused"):
                own[name] += row[name]
            own["faults"] += len(row["faults"])
            own["peak_mib"] = max(own["peak_mib"], row["peak_mib"])
    tried = sum(own["read"] + own["refused"] + own["faults"] for own in files.values())
    faults = [{"part": key, **fault} for key, row in done.items() for fault in row["faults"]]
    kinds = {fault["kind"] for fault in faults}
    return {
        "files": {"tried": tried, "read": sum(own["read"] for own in files.values()), "formats": files},
        "hostile": {name: value for name, value in done.get("hostile files", {}).items() if name != "faults"},
        "properties": {key[9:]: row.get("examples", 0) for key, row in done.items() if key.startswith("property ")},
        "kills": {key[7:]: row for key, row in done.items() if key.startswith("killed ")},
        "faults": faults,
        "kinds": {kind: sum(fault["kind"] == kind for fault in faults) for kind in sorted(kinds)},
        "seconds": round(sum(row["seconds"] for row in done.values())),
    }


def main() -> None:
    """Do what is not done yet, and write the record."""
    asked = options(
        __file__,
        __doc__,
        files=(20_000, "damaged files over all formats"),
        examples=(1000, "drawn inputs of a property, more or fewer by what one takes"),
        kills=(5, "of each of training, batch and grid"),
        seed=0,
        minutes=(600.0, "stop after so many and write what there is"),
        part={"default": "", "help": "one part, as the campaign itself calls it"},
        folder={"default": "", "help": "for its files"},
    )
    if asked.part:
        print(json.dumps(work(Path(asked.folder), *json.loads(asked.part))), flush=True)
        return
    kept = benchmark_result(Path(__file__).stem).with_suffix(".jsonl")
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    commit, begun = git_commit(), time.monotonic()
    done = {row["key"]: row for row in rows if row["commit"] == commit}
    waiting = parts(asked)
    for key, given in waiting.items():
        if done.get(key, {}).get("given") == given:
            continue
        if time.monotonic() - begun > 60 * asked.minutes:
            break
        started = time.perf_counter()
        row = in_a_process(given) | {"key": key, "given": given, "commit": commit}
        done[key] = row | {"seconds": round(time.perf_counter() - started, 1)}
        with kept.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(done[key]) + "\n")
        print(f"{key}: {len(row['faults'])} faults, {done[key]['seconds']} s", flush=True)
    totals = summary({key: done[key] for key in waiting if key in done})
    missing = [key for key in waiting if key not in done]
    write_record(__file__, {"seed": asked.seed, "parts": len(waiting), "missing": missing} | totals)
    for fault in totals["faults"]:
        print(fault, flush=True)
    sys.exit(bool(totals["faults"]))


if __name__ == "__main__":
    main()
