"""Makes a tiny checkpoint of every family's real architecture, with random weights and a tokenizer trained on the spot.

    python tools/make_tiny_checkpoints.py FOLDER [NAME ...]

Files, names of weights and of settings are those of the published checkpoints; only the dimensions are small. The
loading code cannot tell them from the real ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tiny import MAKERS, make


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", choices=[*MAKERS, []], help="which; all where none is named")
    options = parser.parse_args()
    for name in options.names or MAKERS:
        begun = time.monotonic()
        make(name, options.folder / name)
        print(f"{name}: {time.monotonic() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
