"""The programs that dubmill is measured beside, each set in an environment of its own."""

import os
import pathlib
import subprocess
import sys

DATA = pathlib.Path(os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share") / "dubmill"


def python_with(versions, name):
    """The Python of the environment `name`, which has these packages; made when it is not there."""
    folder = DATA / name
    python = folder / "bin/python"
    stamp = folder / ".versions"
    if not stamp.exists() or stamp.read_text().split() != versions:
        print(f"installing {' '.join(versions)} into {folder}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *versions], check=True)
        stamp.write_text("\n".join(versions))
    return python
