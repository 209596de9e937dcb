# Many files of one's own, split into parts that run anywhere: the results of one `nblib detect` on all of them.
#   snakemake -s workflow/spectra.smk --cores 2 --config spectra=files.txt out=results
#   config: spectra  text with one file per line       out   folder of the results, the table and the page
#           size     files a part (500)              options  of nblib detect, e.g. "--no-figures --column 2"
# Every part is one job; --executor slurm or cluster-generic runs them elsewhere. The same command goes on after a kill.
import shlex
from pathlib import Path

for name in ("spectra", "out"):
    if not config.get(name):
        raise WorkflowError(f"refused: {name} is not given; --config spectra=files.txt out=results")
LIST, OUT, SIZE = Path(config["spectra"]), Path(config["out"]), int(config.get("size", 500))
if not LIST.is_file() or SIZE < 1:
    raise WorkflowError(f"refused: spectra={str(LIST)!r} must be a text with one file per line, size={SIZE} at least 1")
OPTIONS = shlex.join([*shlex.split(config.get("options", "")), "--out", str(OUT)])
WORK = OUT / "parts"
N_FILES = len({line.strip() for line in LIST.read_text(encoding="utf-8").splitlines()} - {""})
PARTS = [f"{WORK}/{number}.json" for number in range(-(-N_FILES // SIZE))]


rule together:
    input:
        plan=f"{WORK}/plan.jsonl",
        parts=PARTS,
    output:
        table=f"{OUT}/all.flags.csv",
        page=f"{OUT}/all.html",
    params:
        options=OPTIONS,
    shell:
        "python -m nblib.measured.parts together --options={params.options:q} {input.plan:q} {input.parts:q}"


rule plan:
    input:
        LIST,
    output:
        f"{WORK}/plan.jsonl",
    params:
        options=OPTIONS,
    shell:
        "python -m nblib.measured.parts plan --options={params.options:q} {input:q} {output:q}"


rule part:
    input:
        f"{WORK}/plan.jsonl",
    output:
        f"{WORK}/{{number}}.json",
    params:
        options=OPTIONS,
        size=SIZE,
    threads: 2  # as many processes, each of which examines and draws
    shell:
        "python -m nblib.measured.parts part --number {wildcards.number} --size {params.size} --processes {threads} "
        "--options={params.options:q} {input:q} {output:q}"
