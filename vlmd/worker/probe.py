"""What torch and bitsandbytes can do here, for `vlmd doctor`: `python -m vlmd.worker.probe FD torch|bitsandbytes`."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch


def torch_facts() -> dict[str, Any]:
    """torch's build, and for every GPU it sees whether it computes there."""
    seen = torch.cuda.device_count() if torch.version.cuda else 0
    return {
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "architectures": torch.cuda.get_arch_list() if torch.version.cuda else [],
        "devices": [_device(index) for index in range(seen)],
    }


def bitsandbytes_facts() -> dict[str, Any]:
    """Whether bitsandbytes computes: eight numbers quantized and back, on a GPU where there is one."""
    import bitsandbytes
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    numbers = torch.linspace(-1, 1, 64, device=device).reshape(8, 8)
    packed, state = quantize_4bit(numbers, quant_type="nf4")
    error = (dequantize_4bit(packed, state) - numbers).abs().max().item()
    return {"version": bitsandbytes.__version__, "device": device, "error": error}


def _device(index: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"index": index, "problem": None}
    try:
        facts["name"] = torch.cuda.get_device_name(index)
        facts["capability"] = list(torch.cuda.get_device_capability(index))
        with torch.cuda.device(index):
            facts["bf16"] = torch.cuda.is_bf16_supported(including_emulation=False)
        ones = torch.ones(16, 16, device=f"cuda:{index}")
        if (ones @ ones).sum().item() != 16**3:
            facts["problem"] = "it multiplies wrongly"
    except Exception as error:  # noqa: BLE001 - whatever a GPU does wrong is what is asked for
        facts["problem"] = f"{type(error).__name__}: {error}"
    return facts


def main(fd: int, what: str) -> None:
    facts = torch_facts() if what == "torch" else bitsandbytes_facts()
    with open(fd, "w", encoding="utf-8") as pipe:
        json.dump(facts, pipe)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
