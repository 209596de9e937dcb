"""Outputs of a run stored in the notebook that was run: what a reader sees without running anything."""

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat

from nblib.project.paths import published_figures
from nblib.project.registry import refuse_if

INJECTED = (
    "injected-parameters"  # papermill's tag; such a cell left behind would be run again by everything but papermill
)
BESIDE = ("this run", "published")  # heads of two columns: a number of a run, and of its published record
ADDRESS = re.compile(r" at 0x[0-9a-f]+>|^\[?Text\(")
KEPT = {"tags", "jupyter"}  # of a cell's metadata; the rest says when and where it ran


def store_outputs(notebook: Path, executed: Path) -> bool:
    """Take the outputs of an executed copy over into a notebook; its own cells and parameters stay.

    The run becomes the published one: where a table has the columns BESIDE, the second gets the numbers of the first.
    It held those of the record that was published when the notebook ran.

    Parameters
    ----------
    notebook : the notebook that was run, with its defaults
    executed : papermill's copy of it

    Returns
    -------
    did the file change

    Raises
    ------
    ValueError where the copy's code is not that of the notebook, or a cell was not run
    """
    target, run = (nbformat.read(path, as_version=4) for path in (notebook, executed))
    ran = [cell for cell in run.cells if cell.cell_type == "code" and INJECTED not in cell.metadata.get("tags", [])]
    own = [cell for cell in target.cells if cell.cell_type == "code"]  # words may have changed since
    refuse_if(
        [cell.source for cell in ran] != [cell.source for cell in own],
        f"{executed} was run before {notebook.name} was changed; run it again",
    )
    for cell in target.cells:
        cell.metadata = nbformat.from_dict({name: value for name, value in cell.metadata.items() if name in KEPT})
    count = 0
    for cell, done in zip(own, ran, strict=True):
        refuse_if(done.execution_count is None and cell.source.strip(), f"{executed} has a cell that was not run")
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        shown = [output for output in done.outputs if not _names_an_object(output)]
        cell.outputs = [_as_published(_numbered(output, cell.execution_count)) for output in shown]
    target.metadata = nbformat.from_dict(
        {name: value for name, value in target.metadata.items() if name in ("kernelspec", "language_info")}
    )
    before = notebook.read_bytes()
    text = nbformat.writes(target) + "\n"
    if text.encode() == before:
        return False
    notebook.write_text(text, encoding="utf-8")
    return True


def _names_an_object(output):
    """Is all that it shows what a drawing call returned, with an address that changes from run to run?"""
    data = output.get("data", {})
    return set(data) == {"text/plain"} and bool(ADDRESS.search(str(data["text/plain"])))


def _numbered(output, count):
    if "execution_count" in output:
        output.execution_count = count
    output.pop("transient", None)
    return output


def _as_published(output):
    """The output with the numbers of this run in the published columns of its table, where it is such a table."""
    import pandas as pd

    data = output.get("data", {})
    html = str(data.get("text/html", ""))
    if not all(f"<th>{head}</th>" in html for head in BESIDE):
        return output
    cell = r"<td>([^<]*)</td>"
    data["text/html"] = re.sub(rf"{cell}(\s*){cell}", r"<td>\1</td>\2<td>\1</td>", html)
    table = ElementTree.fromstring(re.search(r"<table.*</table>", data["text/html"], re.DOTALL)[0])
    labels, _, *rows = table.iter("tr")
    columns = pd.MultiIndex.from_product([[head.text for head in labels if head.text], BESIDE])
    values = [[entry.text for entry in row.iter("td")] for row in rows]
    frame = pd.DataFrame(values, [row.find("th").text for row in rows], columns)
    data["text/plain"] = frame.to_string(line_width=80)
    return output


def links_from(text: str, folder: Path) -> str:
    """The text of a notebook, its links to published figures as they are from another folder."""
    figures = Path(os.path.relpath(published_figures(), folder)).as_posix()
    return text.replace("](../figures/", f"]({figures}/")


def set_parameters(notebook: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The notebook with other defaults in its parameters cell; names that it lacks are left out, comments stay."""
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            lines = "".join(cell["source"]).splitlines()
            for number, line in enumerate(lines):
                name, _, rest = line.partition(" = ")
                if name in values:
                    _, mark, comment = rest.partition("  # ")
                    value = json.dumps(values[name]) if isinstance(values[name], str) else repr(values[name])
                    lines[number] = f"{name} = {value}{mark}{comment}"
            cell["source"] = "\n".join(lines)
    return notebook
