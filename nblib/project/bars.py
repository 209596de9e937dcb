"""Progress bars; what they look like decides no number."""

from collections.abc import Iterable

from tqdm.auto import tqdm

from nblib.project.environment import is_live


def training_bar(steps: Iterable, total: int, initial: int, description: str, shown: bool | None) -> tqdm:
    """A bar over the steps of a training. shown : None = where somebody watches (a terminal, JupyterLab)."""
    shown = is_live() if shown is None else shown
    return tqdm(steps, total=total, initial=initial, desc=description, disable=not shown)
