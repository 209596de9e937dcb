"""`python -m evidence SUBCOMMAND ...`: measure, publish and reproduce records, exchange the locked tests."""

import argparse
import sys
from pathlib import Path

from nblib.project.threads import use_one_thread


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evidence", description="The evidence behind what nblib claims.")
    commands = parser.add_subparsers(dest="command", required=True)
    publish = commands.add_parser(
        "publish",
        help="copy plain records and figures of runs/ (benchmarks too) to records/ and figures/, and renew the pages",
    )
    publish.add_argument("profile", nargs="?", default="quick", help="quick or full")
    story = commands.add_parser("story", help="train and judge what notebook 06 compares, what is not kept yet (hours)")
    story.add_argument("--minutes", type=float, default=0.0, help="begin nothing new after so many; 0: to the end")
    tests = commands.add_parser("tests", help="write the locked tests to a new folder, for detectors from elsewhere")
    tests.add_argument("folder", type=Path)
    scores = commands.add_parser("scores", help="judge such a detector's scores")
    scores.add_argument("file", type=Path, help=".npz with one array (spectrum, cell) a test")
    scores.add_argument("--tests", type=Path, metavar="FOLDER", help="of `tests`; default: drawn again")
    again = commands.add_parser("reproduce", help="run again what a record says, and name what differs")
    again.add_argument("record", type=Path, help="record.json of a training, or a record of a notebook or benchmark")
    again.add_argument("--task", default="", help="one of 05 or 06: its name, or e.g. trials.label-free.0.readings")
    return parser


def _publish(options: argparse.Namespace) -> None:
    from evidence.pages.publish import publish

    changed = publish(options.profile)
    print("\n".join(changed) or "nothing to publish: records/, figures/ and pages are as runs/ and records/ say")


def _story(options: argparse.Namespace) -> None:
    from evidence.story import measure, reference_tasks, story_tasks
    from evidence.test_sets import sizes_of
    from nblib.project.profiles import get_profile

    settings = get_profile("quick")
    arguments = (settings, settings.training, "single_line", sizes_of(settings))
    measure(reference_tasks(*arguments) | story_tasks(*arguments), options.minutes)


def _tests(options: argparse.Namespace) -> None:
    from evidence.exchange import export_tests

    written = export_tests(options.folder)
    print(f"wrote {len(written)} files to {options.folder}; how to use them: {written[0]}")


def _scores(options: argparse.Namespace) -> None:
    from evidence.exchange import format_scores, score_file

    print(format_scores(score_file(options.file, options.tests)))


def _reproduce(options: argparse.Namespace) -> int:
    from evidence.reproduce import reproduce

    compared, lines = reproduce(options.record, options.task)
    differing = sum(not line.startswith("(") for line in lines)
    print("\n".join([*lines, f"{compared} values compared, {differing} differ"]))
    return int(differing > 0)


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; exit status 0, 1 where a record is not reproduced, or 2 for what is refused."""
    options = _parser().parse_args(arguments)
    commands = {"publish": _publish, "story": _story, "tests": _tests, "scores": _scores, "reproduce": _reproduce}
    use_one_thread()  # before torch is imported
    try:
        return commands[options.command](options) or 0
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
