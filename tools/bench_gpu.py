"""Measures every model of the six systems at its real dimensions, with random weights, on one NVIDIA GPU.

    python tools/bench_gpu.py [--models NAME ...] [--precisions nf4 bf16] [--batches 1 4 8 16] [--out FILE]

Needs no network, no video and no weights: checkpoints are made in a scratch folder, loaded like any other, and asked
about windows of 15 random pictures. A model takes about a minute; the table is printed as it grows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from gpu_kit.measure import Row, load, measured
from gpu_kit.real import TINY, write

PACKAGES = ("torch", "transformers", "bitsandbytes", "accelerate")
SHORT, LONG = 6, 64
"""Tokens of an answer for a window without an event, and of one with."""
COLUMNS = (
    *("model", "precision", "batch", "prompt tokens", "new tokens"),
    *("s / window", "windows / s", "peak GB", "planned GB"),
)


def main() -> int:
    options = _options()
    if options.device != "cpu" and not torch.cuda.is_available():
        print("torch sees no GPU here; nothing was measured", file=sys.stderr)
        return 1
    print(f"{machine(options.device)}\n\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    results = []
    for name in options.models:
        folder = Path(tempfile.mkdtemp(prefix="vlmd-bench-", dir=options.scratch))
        try:
            results += _measure(name, folder / "checkpoint", options)
        finally:
            shutil.rmtree(folder)
    if options.out:
        options.out.write_text(json.dumps({"machine": machine(options.device), "rows": results}, indent=1))
    return 0


def machine(device: str) -> str:
    """What was measured on, with every version that matters."""
    name = torch.cuda.get_device_name() if device != "cpu" else "CPU"
    return ", ".join([name, *(f"{package} {version(package)}" for package in PACKAGES)])


def _measure(name: str, folder: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    folder.mkdir()
    write(name, folder, options.device, options.layers)
    results = []
    for precision in options.precisions:
        begun = time.monotonic()
        engine = load(folder, precision, options.device)
        print(f"<!-- {name} {precision}: loaded in {time.monotonic() - begun:.0f} s -->", flush=True)
        for new_tokens in (SHORT, LONG):
            for row in measured(engine, options.batches, new_tokens, options.device):
                print(_line(name, precision, row), flush=True)
                results.append({"model": name, "precision": precision, **asdict(row)})
        del engine
        if options.device != "cpu":
            torch.cuda.empty_cache()
    return results


def _line(name: str, precision: str, row: Row) -> str:
    speed = (f"{row.seconds_per_window:.3f}", f"{row.windows_per_second:.2f}")
    memory = (f"{row.peak_bytes / 1e9:.2f}", f"{row.planned_bytes / 1e9:.2f}")
    counts = (str(row.batch), str(row.prompt_tokens), str(row.new_tokens))
    return f"| {' | '.join((name, precision, *counts, *speed, *memory))} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=TINY, default=list(TINY))
    parser.add_argument("--precisions", nargs="+", default=["nf4", "bf16"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8, 16])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--layers", type=int, help="shorten the language model, to try this out")
    parser.add_argument("--scratch", type=Path, help="folder for checkpoints of up to 17 GB; /dev/shm is fast")
    parser.add_argument("--out", type=Path, help="file for the rows as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
