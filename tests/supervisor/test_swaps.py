"""Which model is loaded where, in simulated days: every job ends, nobody waits for much younger work, and no device
goes back and forth between models.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.supervisor.simulation import Arrival, Swap, World
from vlmd.supervisor.fleet.scheduler import NEARLY_AS_OLD_MS

MODELS = ["qwen", "smol", "phi", "gemma"]
ARRIVALS = st.lists(
    st.builds(
        Arrival,
        st.integers(0, 4 * 3600),
        st.sampled_from(MODELS),
        st.one_of(st.integers(1, 20), st.integers(20, 1500)),
    ),
    min_size=1,
    max_size=14,
)
DEVICES = st.integers(1, 3)


def simulated(arrivals: list[Arrival], devices: int) -> World:
    world = World(MODELS, devices)
    world.arrive(arrivals)
    world.run()
    assert not world.open_jobs(), "every job ends"
    assert not any(slot.leases for slot in world.slots)
    return world


@given(ARRIVALS, DEVICES)
@settings(max_examples=100, deadline=None)
def test_every_job_ends_and_no_device_changes_for_one_job_twice(arrivals: list[Arrival], devices: int) -> None:
    world = simulated(arrivals, devices)
    assert len({(swap.device, towards(swap)) for swap in world.swaps}) == len(world.swaps)
    assert len(world.swaps) <= devices * len(arrivals)


@given(ARRIVALS, DEVICES)
@settings(max_examples=80, deadline=None)
def test_no_device_leaves_work_that_is_nearly_as_old(arrivals: list[Arrival], devices: int) -> None:
    for swap in simulated(arrivals, devices).swaps:
        first = next(job for job in swap.jobs if job.model == swap.new)
        left = [job for job in swap.jobs if job.model == swap.old]
        assert all(job.created_at - first.created_at > NEARLY_AS_OLD_MS for job in left)


@given(ARRIVALS, DEVICES)
@settings(max_examples=80, deadline=None)
def test_no_job_waits_for_much_younger_work_of_another_model(arrivals: list[Arrival], devices: int) -> None:
    """Unless a device serves its model, or is about to: then it is that device's oldest."""
    world = World(MODELS, devices)
    overtaken = []

    def lease_given(job: int, device: str) -> None:
        served = {slot.serves for slot in world.slots}
        young = world.jobs[job]
        overtaken.extend(
            (young, device, older)
            for older in world.open_jobs()
            if older.model not in served and young.created_at - older.created_at > NEARLY_AS_OLD_MS
        )

    world.lease_given = lease_given
    world.arrive(arrivals)
    world.run()
    assert not overtaken


@given(st.lists(st.builds(Arrival, st.just(0), st.sampled_from(MODELS), st.integers(1, 500)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_what_arrived_together_costs_one_change_for_each_model(arrivals: list[Arrival]) -> None:
    world = simulated(arrivals, 1)
    assert len(world.swaps) <= len({arrival.model for arrival in arrivals})


@given(ARRIVALS)
@settings(max_examples=100, deadline=None)
def test_in_a_long_queue_a_model_comes_back_at_most_once_in_ten_minutes_of_arrivals(arrivals: list[Arrival]) -> None:
    """The queue was made while the device rested: so many changes at most, however long it takes."""
    world = World(MODELS, 1)
    world.slots[0].rest()
    world.arrive(arrivals)
    world.after(5 * 3600, world.slots[0].comes_back)
    world.run()
    for model in MODELS:
        heads = [world.jobs[towards(swap)].created_at for swap in world.swaps if swap.new == model]
        assert all(later - sooner > NEARLY_AS_OLD_MS for sooner, later in pairwise(heads))


@given(ARRIVALS, DEVICES, st.lists(st.tuples(st.integers(0, 6 * 3600), st.integers(0, 2)), max_size=8))
@settings(max_examples=80, deadline=None)
def test_whoever_dies_and_whenever_every_job_ends(
    arrivals: list[Arrival], devices: int, deaths: list[tuple[int, int]]
) -> None:
    world = World(MODELS, devices)
    world.arrive(arrivals)
    for at, number in deaths:
        world.after(at, world.slots[number % devices].die)
    world.run()
    assert not world.open_jobs()
    assert len(world.swaps) <= devices * (len(arrivals) + len(deaths))


GROUPS = st.dictionaries(st.sampled_from(MODELS), st.integers(2, 4))


@given(
    ARRIVALS, st.integers(1, 5), GROUPS, st.lists(st.tuples(st.integers(0, 6 * 3600), st.integers(0, 4)), max_size=5)
)
@settings(max_examples=200, deadline=None)
def test_models_that_take_several_devices_are_served_in_their_turn(
    arrivals: list[Arrival], devices: int, takes: dict[str, int], deaths: list[tuple[int, int]]
) -> None:
    """All but those that take more devices than there are; and no device ever has two workers."""
    world = World(MODELS, devices, takes)
    world.arrive(arrivals)
    for at, number in deaths:
        world.after(at, world.slots[number % devices].die)
    world.run()
    assert all(takes.get(job.model, 1) > devices for job in world.open_jobs())
    assert len(world.swaps) <= devices * (len(arrivals) + len(deaths))


@given(ARRIVALS, st.integers(2, 4))
@settings(max_examples=100, deadline=None)
def test_a_group_waits_until_none_of_it_has_work_nearly_as_old(arrivals: list[Arrival], devices: int) -> None:
    world = World(MODELS, devices, {"smol": 2})
    world.arrive(arrivals)
    world.run()
    for swap in world.swaps:
        first = next(job for job in swap.jobs if job.model == swap.new)
        left = [job for job in swap.jobs if job.model == swap.old]
        assert all(job.created_at - first.created_at > NEARLY_AS_OLD_MS for job in left)
    assert all(slot.team.lent_to is None or slot.team.lent_to.model.name == "smol" for slot in world.slots)


def towards(swap: Swap) -> int:
    """The job a device changed its model for."""
    return next(job.id for job in swap.jobs if job.model == swap.new)
