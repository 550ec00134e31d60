"""What comes next for a device without a worker, and after how much silence one counts as hung."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.memory import Memory, Stored, User, needed_bytes, shortage, weight_bytes
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.states import SlotState
from vlmd.supervisor.fleet.steps import Facts, Rest, Start, Stop, next_step

GB = 10**9
FACTS = st.builds(
    Facts,
    now=st.floats(0, 100),
    stopping=st.booleans(),
    parked=st.none() | st.just("sick"),
    paused=st.booleans(),
    unloaded=st.booleans(),
    start_at=st.floats(0, 100),
    needs=st.integers(0, 50),
    memory=st.none() | st.builds(Memory, st.integers(0, 50), st.just(50)),
)


@given(FACTS)
def test_a_worker_is_started_only_where_nothing_speaks_against_it(facts: Facts) -> None:
    against = facts.stopping or facts.parked or facts.paused or facts.unloaded or facts.now < facts.start_at
    fits = facts.memory is None or facts.needs <= facts.memory.free
    assert isinstance(next_step(facts), Start) == (not against and fits)


@given(FACTS)
def test_a_rest_ends_by_itself_only_where_time_or_memory_is_waited_for(facts: Facts) -> None:
    step = next_step(facts)
    assert isinstance(step, Stop) == facts.stopping
    if isinstance(step, Rest):
        assert (step.until is not None) == (step.state in (SlotState.RESTARTING, SlotState.WAITING))
        assert step.until is None or step.until > facts.now


def test_the_most_final_reason_is_the_one_that_is_told() -> None:
    everything = Facts(now=0, parked="sick", paused=True, unloaded=True, start_at=9, needs=2, memory=Memory(1, 9))
    assert next_step(everything) == Rest(SlotState.PARKED, "sick")


def test_who_has_the_memory_is_told() -> None:
    memory = Memory(3 * GB, 24 * GB, [User(17, "python", 20 * GB), User(18, "?", None)])
    assert shortage(17 * GB, memory) == (
        "needs 17.0 GB, 3.0 GB of 24.0 GB are free; used by PID 17 (python, 20.0 GB), PID 18 (?)"
    )
    assert shortage(3 * GB, memory) is None
    assert shortage(25 * GB, memory) == "needs 25.0 GB, the GPU has 24.0 GB in all"


def test_weights_are_counted_as_they_are_loaded() -> None:
    stored = {"F32": Stored(100, 400), "BF16": Stored(10, 20), "U8": Stored(7, 7), "I64": Stored(1, 8)}
    assert weight_bytes(stored, "fp32") == 440 + 15
    assert weight_bytes(stored, "bf16") == weight_bytes(stored, "fp16") == 220 + 15
    assert weight_bytes(stored, "int8") == 110 + 15
    assert weight_bytes(stored, "auto") == weight_bytes(stored, "nf4") == 55 + 15, "which may be what it comes to"
    assert needed_bytes(220) > 220


def test_patience_is_the_configured_limit_until_silences_are_long() -> None:
    patience = Patience(load=900, progress=120)
    for _ in range(100):
        patience.heard(0.5)
    assert (patience.load, patience.progress) == (900, 120)
    for _ in range(100):
        patience.heard(60)
    assert patience.progress == 300


@given(st.lists(st.floats(0, 1000), max_size=300))
def test_patience_is_never_less_than_the_limit_nor_more_than_five_times_the_longest(silences: list[float]) -> None:
    patience = Patience(load=900, progress=120)
    for silence in silences:
        patience.heard(silence)
    assert 120 <= patience.progress <= max(120, 5 * max(silences, default=0))


def test_one_long_silence_is_no_habit() -> None:
    patience = Patience(load=900, progress=120)
    for _ in range(60):
        patience.heard(0.5)
    patience.heard(119)
    assert patience.progress == 120
