"""A long list of files in parts, for workflow/spectra.smk: plan, each part by itself, and all together.

`python -m nblib.measured.parts plan|part|together ...`; the results are those of one `nblib detect` on all files.
"""

import argparse
import dataclasses
import json
import shlex
import sys
from pathlib import Path

from nblib.measured.advice import as_options
from nblib.measured.batch import run
from nblib.measured.calibrate import detector_of
from nblib.measured.command import detect_parser, order_of, settings_of
from nblib.measured.files.formats import Marks
from nblib.measured.inputs import files_of
from nblib.measured.joint import Row
from nblib.measured.outputs import Job, jobs_of, joint_folder
from nblib.measured.products import writing
from nblib.measured.reports import Report, prepare_folders, write_joint
from nblib.project.paths import replace_whole
from nblib.project.registry import refuse_if
from nblib.project.threads import use_one_thread


def plan(listed: Path, output: Path, options: argparse.Namespace) -> None:
    """Where the results of each file of a list go, as one JSON per line; names are those of all files together.

    Parameters
    ----------
    listed : text with one file per line; blank lines and lines that begin with # are left out

    Raises
    ------
    ValueError for a list without files, or with folders or patterns, and where nothing can be written
    """
    lines = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines()]
    named = [line for line in lines if line and not line.startswith("#")]
    refuse_if(not named, f"{listed} names no file; name one per line")
    files, left_out = files_of(named)
    refuse_if(len(files) > len(named), f"{listed} names folders or patterns; name one file per line")
    refuse_if(options.together, "--together needs all spectra in one process; use nblib detect, which has --jobs")
    jobs = jobs_of(files, options.out)
    prepare_folders(jobs, order_of(options, joint_folder(files, options.out)))
    if left_out:
        print(left_out, file=sys.stderr)
    with writing(output):
        replace_whole(output, "".join(json.dumps(dataclasses.asdict(job), default=str) + "\n" for job in jobs))


def jobs_of_plan(planned: Path) -> list[Job]:
    """The jobs of a plan."""
    jobs = []
    for line in planned.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        place = Path(entry["path"]), entry["shown"], Path(entry["folder"])
        jobs.append(Job(*place, entry["name"], tuple(entry["reserved"])))
    return jobs


def part(planned: Path, number: int, size: int, n_processes: int, output: Path, options: argparse.Namespace) -> None:
    """Examine one part of a plan, `size` files from number * size on, and write what all together need of it."""
    jobs, reports = jobs_of_plan(planned), []
    settings = settings_of(options)
    order = order_of(options, joint_folder([job.path for job in jobs], options.out))
    detector = detector_of(settings)

    def take(report: Report) -> None:
        reports.append(dataclasses.replace(report, texts=[], documents=[]))

    run(jobs[number * size : (number + 1) * size], settings, order, detector, n_processes, take, number * size)
    kept = [
        {
            "rows": [row.as_dict() for row in report.rows],
            "marks": report.marks,
            "problem": report.problem,
        }
        for report in reports
    ]
    with writing(output):
        replace_whole(output, json.dumps(kept))


def together(planned: Path, parts: list[Path], options: argparse.Namespace) -> None:
    """Join the parts as one table and page; prints where they are and, last, the files that were not read."""
    jobs = jobs_of_plan(planned)
    order = order_of(options, joint_folder([job.path for job in jobs], options.out))
    reports = [report for path in parts for report in json.loads(path.read_text(encoding="utf-8"))]
    rows = [Row.from_dict(row) for report in reports for row in report["rows"]]
    marks = Marks(*reports[0]["marks"])
    assert order.joint is not None
    written = write_joint(order.joint, rows, bool(order.figures), marks)
    problems = [report for report in reports if report["problem"]]
    print(f"{len(reports) - len(problems)} of {len(reports)} files read")
    print(f"{sum(not row.problem for row in rows)} spectra together: {written[0]}; open first: {written[1]}")
    print("".join(f"{report['problem']}\n" for report in problems), end="", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Command line of the workflow; exit status 0, or 2 where something is refused.

    Files that cannot be read are not a failure, as the workflow would take everything away: they are in the tables.
    """
    use_one_thread()
    parser = argparse.ArgumentParser(prog="python -m nblib.measured.parts", description=__doc__)
    parser.add_argument("step", choices=("plan", "part", "together"))
    parser.add_argument("paths", nargs="+", type=Path, help="plan: LIST PLAN; part: PLAN PART; together: PLAN PARTS")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--options", default="", help="of nblib detect")
    given = parser.parse_args(arguments)
    first, *rest = given.paths
    try:
        options = detect_parser().parse_args([*shlex.split(given.options), "-"])
        if given.step == "plan":
            plan(first, rest[0], options)
        elif given.step == "part":
            part(first, given.number, given.size, given.processes, rest[0], options)
        else:
            together(first, rest, options)
    except ValueError as error:
        print(f"refused: {as_options(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
