"""What masked prediction, the penalty and attention are each worth: every trial of story.TRIALS, in its order.

Some 190 trainings, 7 hours of one core on a fast machine: what is measured is kept, and the same command goes on.
`--minutes` begins nothing new after so many; the record then holds what there is. Writes runs/benchmarks/story.json.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from evidence.benchmarks.script import options, write_record
from evidence.story import reference_tasks, story_tasks
from evidence.tasks import Task, load_or_run, published_tasks
from evidence.test_sets import sizes_of
from nblib.project.parallel import map_side_by_side
from nblib.project.profiles import get_profile

FAMILY = "single_line"


def measure(task: Task, until: float) -> str:
    """Measure one task if there is time left to begin; its name, "" where it was not begun."""
    if time.time() > until and not _is_kept(task):
        return ""
    started = time.time()
    load_or_run(task)
    print(f"{time.strftime('%H:%M:%S')} {task.path.stem}: {time.time() - started:.0f} s", flush=True)
    return task.path.stem


def _is_kept(task):
    return task.path.exists() or task.path.stem in published_tasks()


def nested(tasks: Mapping[tuple, Task]) -> dict[Any, Any]:
    """What is kept of some tasks, by the parts of their names."""
    found: dict[Any, Any] = {}
    for place, task in tasks.items():
        if _is_kept(task):
            inside = found
            for part in place[:-1]:
                inside = inside.setdefault(str(part), {})
            inside[str(place[-1])] = load_or_run(task)
    return found


def main() -> None:
    """Measure what is not measured yet, write the record."""
    given = options(__file__, __doc__, minutes=(0.0, "begin nothing new after so many; 0: to the end"), profile="quick")
    settings = get_profile(given.profile)
    arguments = (settings, settings.training, FAMILY, sizes_of(settings))
    references, trials = reference_tasks(*arguments), story_tasks(*arguments)
    until = time.time() + 60 * given.minutes if given.minutes else float("inf")
    begun = map_side_by_side(partial(measure, until=until), [*references.values(), *trials.values()])
    print(f"{len([name for name in begun if name])} of {len(begun)} measurements are there")
    parameters = {"profile": given.profile, "training": settings.training, "family": FAMILY, "seed": 0}
    found = {"references": nested(references), "trials": nested(trials)}
    write_record(__file__, {"parameters": parameters, "metrics": found})


if __name__ == "__main__":
    main()
