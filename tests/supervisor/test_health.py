"""Which errors make a GPU unfit for work. As NVIDIA's catalogue has it, and as NVML counts."""

from __future__ import annotations

import pytest

from vlmd.supervisor.devices import xid
from vlmd.supervisor.devices.checkup import Checkup, sick

WELL = Checkup(uncorrectable=0, remap_pending=False, remap_failed=False)


@pytest.mark.parametrize("number", [48, 63, 64, 74, 79, 92, 94, 95, 119, 120])
def test_a_gpu_with_an_error_of_its_own_is_not_used(number: int) -> None:
    reason = xid.verdict(number)
    assert reason is not None
    assert reason.startswith(f"Xid {number}: ")
    assert "vlmd resume" in reason


@pytest.mark.parametrize("number", [13, 31, 43, 45, 32, 999])
def test_what_a_process_did_wrong_costs_no_gpu(number: int) -> None:
    assert xid.verdict(number) is None
    assert xid.meaning(number)
    assert not xid.SICK.keys() & xid.APPLICATION.keys()


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Checkup(lost="GPU is lost"), "the NVIDIA driver says: GPU is lost"),
        (Checkup(uncorrectable=2, remap_pending=False, remap_failed=False), "2 uncorrectable memory errors"),
        (Checkup(uncorrectable=0, remap_pending=True, remap_failed=False), "is to be remapped"),
        (Checkup(uncorrectable=0, remap_pending=True, remap_failed=True), "could not be remapped"),
    ],
)
def test_a_checkup_finds_what_is_wrong(now: Checkup, words: str) -> None:
    assert words in (sick(now, WELL) or "")


@pytest.mark.parametrize("now", [WELL, Checkup(), Checkup(uncorrectable=3)])
def test_old_errors_and_unknown_counts_are_no_reason(now: Checkup) -> None:
    assert sick(now, Checkup(uncorrectable=3)) is None
