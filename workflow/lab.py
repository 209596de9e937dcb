"""JupyterLab on copies of the notebooks, the whole clone at hand. `make lab`"""

import os
import sys

from nblib.notebook.lab import copy_notebooks, lab_command
from nblib.project.paths import from_root
from nblib.project.threads import use_one_thread


def main() -> None:
    """Copy the notebooks, say what stays, and become JupyterLab."""
    use_one_thread()  # its kernels inherit the variables
    folder, notes = copy_notebooks()
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    lines = [f"JupyterLab on copies in {from_root(folder)}; notebooks/ stays as it is. Ctrl-C twice ends it.", *notes]
    if as_root:
        lines.append("running as root, as in a container: allowed here, since the server listens on this machine alone")
    print("\n".join(lines), flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *lab_command(folder, as_root), *sys.argv[1:]])


if __name__ == "__main__":
    main()
