"""Who gets what: queue order, resident models, and leases that get shorter towards the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vlmd.store.windows import OpenJob
from vlmd.supervisor.fleet.scheduler import NEARLY_AS_OLD_MS, choose_job, lease_size, model_to_load, next_model

BATCHES = {"qwen": 8, "smol": 8}
MODELS = st.sampled_from(["qwen", "smol"])
JOBS = st.lists(
    st.builds(OpenJob, st.integers(1, 99), MODELS, st.integers(1, 5000), st.booleans()), min_size=1, max_size=5
)
WORKERS, BATCH, LONGEST = st.integers(0, 16), st.integers(1, 64), st.integers(1, 64)


def job(pending: int, model: str = "qwen", from_start: bool = False, number: int = 1) -> OpenJob:
    return OpenJob(number, model, pending, from_start)


def test_the_first_job_a_model_can_serve_is_chosen() -> None:
    queue = [job(1, "smol", number=1), job(1, "qwen", number=2), job(1, "qwen", number=3)]
    assert choose_job(queue, "qwen") == queue[1]
    assert choose_job(queue, "smol") == queue[0]
    assert choose_job(queue, "other") is None
    assert choose_job([], "qwen") is None


def aged(minutes: float, model: str, pending: int = 100, priority: int = 0) -> OpenJob:
    """A job that was created so many minutes after the first."""
    return OpenJob(int(minutes) + 1, model, pending, False, priority, int(minutes * 60_000))


def test_a_worker_whose_model_has_nothing_to_do_loads_the_oldest_jobs_model() -> None:
    queue = [aged(0, "smol"), aged(1, "qwen")]
    assert next_model(queue, "other", {}, BATCHES) == "smol"
    assert next_model([], "qwen", {}, BATCHES) is None


def test_no_change_while_the_resident_model_has_work_nearly_as_old() -> None:
    assert next_model([aged(0, "smol"), aged(10, "qwen")], "qwen", {}, BATCHES) is None
    assert next_model([aged(0, "smol"), aged(11, "qwen")], "qwen", {}, BATCHES) == "smol"
    assert next_model([aged(0, "qwen"), aged(99, "smol")], "qwen", {}, BATCHES) is None


def test_what_was_put_to_the_front_is_not_kept_waiting_for_another_models_work() -> None:
    assert next_model([aged(5, "smol", priority=1), aged(0, "qwen")], "qwen", {}, BATCHES) == "smol"


def test_no_more_devices_change_than_have_something_to_do() -> None:
    queue = [aged(0, "smol", pending=9), aged(30, "qwen")]
    assert next_model(queue, "other", {"smol": 1}, BATCHES) == "smol"
    assert next_model(queue, "other", {"smol": 2, "qwen": 13}, BATCHES) is None
    assert model_to_load(queue, {"smol": 2}, BATCHES) == "qwen"
    assert model_to_load(queue, {"smol": 2, "qwen": 13}, BATCHES) is None


def test_with_work_of_its_own_a_device_helps_others_only_where_there_is_much_to_do() -> None:
    assert next_model([aged(0, "smol", pending=64), aged(30, "qwen")], "qwen", {"smol": 1}, BATCHES) is None
    assert next_model([aged(0, "smol", pending=65), aged(30, "qwen")], "qwen", {"smol": 1}, BATCHES) == "smol"
    assert next_model([aged(0, "smol", pending=1), aged(30, "qwen")], "qwen", {}, BATCHES) == "smol"


def test_how_much_others_can_do_at_once_depends_on_the_batches_of_that_model() -> None:
    queue = [aged(0, "smol", pending=9)]
    assert next_model(queue, "other", {"smol": 1}, {"other": 1, "smol": 9}) is None
    assert next_model(queue, "other", {"smol": 1}, {"other": 99, "smol": 8}) == "smol"


@given(st.lists(st.tuples(st.integers(0, 60), MODELS), min_size=1, max_size=30))
def test_one_device_serves_every_job_and_never_goes_back_and_forth(arrivals: list[tuple[int, str]]) -> None:
    """Each change of model is for the oldest job there is, and is followed by serving it."""
    queue = [aged(minute, model) for minute, model in sorted(arrivals)]
    resident, changes = "qwen", 0
    while queue:
        if (wanted := next_model(queue, resident, {}, BATCHES)) is not None:
            assert wanted == queue[0].model != resident
            resident, changes = wanted, changes + 1
            assert next_model(queue, resident, {}, BATCHES) is None
        served = choose_job(queue, resident)
        assert served is not None
        assert served.created_at - queue[0].created_at <= NEARLY_AS_OLD_MS, "nobody is overtaken by much younger work"
        queue.remove(served)
    assert changes <= len(arrivals)


@given(JOBS, WORKERS, BATCH, LONGEST)
def test_a_lease_has_at_least_one_window_and_at_most_the_longest(
    queue: list[OpenJob], workers: int, batch: int, longest: int
) -> None:
    for each in queue:
        size = lease_size(each, queue, workers, batch, longest)
        assert size >= 1 and (size <= longest or each.from_start)


@given(st.integers(1, 5000), WORKERS, BATCH, LONGEST)
def test_leases_get_shorter_towards_the_end_and_give_everything_out(
    pending: int, workers: int, batch: int, longest: int
) -> None:
    sizes = []
    while pending > 0:
        sizes.append(lease_size(job(pending), [job(pending)], workers, batch, longest))
        pending -= sizes[-1]
    assert sizes == sorted(sizes, reverse=True)


@given(st.integers(2, 5000), st.integers(1, 16))
def test_a_lease_never_takes_more_than_its_share_while_others_could_help(pending: int, workers: int) -> None:
    assert lease_size(job(pending), [job(pending)], workers, 1, 10_000) <= -(-pending // workers)


@given(st.integers(1, 5000), st.integers(1, 16), BATCH, LONGEST)
def test_a_video_that_decodes_only_from_its_beginning_is_cut_once_for_each_worker(
    pending: int, workers: int, batch: int, longest: int
) -> None:
    each = job(pending, from_start=True)
    size = lease_size(each, [each], workers, batch, longest)
    assert size * workers >= pending > (size - 1) * workers


def test_other_jobs_of_the_same_model_count_as_work_to_share() -> None:
    alone = lease_size(job(8), [job(8)], 2, 1, 32)
    assert lease_size(job(8), [job(8), job(100)], 2, 1, 32) > alone
    assert lease_size(job(8), [job(8), job(100, "smol")], 2, 1, 32) == alone
