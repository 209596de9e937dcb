"""Write docs/licences.md: what the locks install, by licence, as the installed packages state it.

`.venv/bin/python workflow/licences.py`. Packages of other systems (Windows, macOS, CUDA) are listed apart.
"""

import re
import sys
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, metadata

from nblib.project.paths import ROOT

PAGE = ROOT / "docs" / "licences.md"
LOCKS = ("requirements.lock", "requirements-cpu.lock", "requirements-gpu.lock")
PIN = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
LIGHT = "*"  # marks what `nblib detect` alone installs
HEAD = f"""# Licences of what is installed

What [the locks](trust.md) install, as each package states its licence. {LIGHT}: installed for `nblib detect` alone.
Made by `workflow/licences.py`.

| licence | packages |
|---|---|
"""
ELSEWHERE = "not installed where this page was made"
SHORT = {  # as some packages spell them
    "BSD License": "BSD", "The BSD License": "BSD", "3-Clause BSD License": "BSD-3-Clause", "MIT License": "MIT",
    "Apache Software License": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0", "Apache License, Version 2.0": "Apache-2.0", "BSD 3-Clause": "BSD-3-Clause",
    "BSD-3-Clause License": "BSD-3-Clause", "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Python Software Foundation License": "PSF-2.0",
}  # fmt: skip


def locked() -> dict[str, tuple[str, bool]]:
    """{package: (version, is it among those of `nblib detect` alone)}."""
    packages: dict[str, tuple[str, bool]] = {}
    for lock in reversed(LOCKS):
        for name, version in PIN.findall((ROOT / lock).read_text(encoding="utf-8")):
            packages[name] = version, lock == LOCKS[0]
    return packages


def licence_of(name: str) -> str:
    """What an installed package states: its expression, else its classifier, else the first line of its text."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ELSEWHERE
    classifiers = [
        line.split(" :: ")[-1] for line in about.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    stated = about.get("License-Expression") or " and ".join(sorted(set(classifiers) - {"OSI Approved"}))
    lines = (about.get("License") or "").strip().splitlines()
    text = stated or (lines[0].strip()[:60] if lines else "not stated")
    return SHORT.get(text, text)


def page() -> str:
    """The page as text."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, (version, is_light) in sorted(locked().items()):
        groups[licence_of(name)].append(f"{name} {version}{LIGHT if is_light else ''}")
    ordered = sorted(groups, key=lambda licence: (-len(groups[licence]), licence))
    return HEAD + "".join(f"| {licence} | {', '.join(groups[licence])} |\n" for licence in ordered)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
