"""`python -m evidence SUBCOMMAND ...`: publish runs, exchange the locked tests with detectors from elsewhere."""

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
    tests = commands.add_parser("tests", help="write the locked tests to a new folder, for detectors from elsewhere")
    tests.add_argument("folder", type=Path)
    scores = commands.add_parser("scores", help="judge such a detector's scores")
    scores.add_argument("file", type=Path, help=".npz with one array (spectrum, cell) a test")
    scores.add_argument("--tests", type=Path, metavar="FOLDER", help="of `tests`; default: drawn again")
    return parser


def _publish(options: argparse.Namespace) -> None:
    from evidence.pages.publish import publish

    changed = publish(options.profile)
    print("\n".join(changed) or "nothing to publish: records/, figures/ and pages are as runs/ and records/ say")


def _tests(options: argparse.Namespace) -> None:
    from evidence.exchange import export_tests

    written = export_tests(options.folder)
    print(f"wrote {len(written)} files to {options.folder}; how to use them: {written[0]}")


def _scores(options: argparse.Namespace) -> None:
    from evidence.exchange import format_scores, score_file

    print(format_scores(score_file(options.file, options.tests)))


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; exit status 0, or 2 for what is refused."""
    options = _parser().parse_args(arguments)
    use_one_thread()  # before torch is imported
    try:
        {"publish": _publish, "tests": _tests, "scores": _scores}[options.command](options)
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
