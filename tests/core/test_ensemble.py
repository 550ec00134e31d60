"""Several pipelines' events as one list: nothing is lost, nobody counts twice, and no order matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.inputs import Outcome, Span
from vlmd.core.tasks.ensemble import agree

SPANS = st.builds(
    lambda start, label, team, confidence: Span(
        start_ms=start, end_ms=start + 3000, label=label, team=team, confidence=confidence
    ),
    st.integers(0, 30_000),
    st.sampled_from(["Goal", "Foul"]),
    st.sampled_from([None, "home", "away"]),
    st.none() | st.floats(0, 1),
)
OUTCOMES = st.dictionaries(
    st.sampled_from("abcd"), st.lists(SPANS, max_size=8).map(lambda spans: Outcome(spans=spans)), min_size=1
)


@given(OUTCOMES, st.integers(0, 8000))
def test_every_sighting_is_told_once_and_no_pipeline_twice_in_one_event(outcomes: dict[str, Outcome], gap: int) -> None:
    agreed = agree(outcomes, gap)
    told = [(name, span) for event in agreed for name, span in event.sightings.items()]
    every = [(name, span) for name, outcome in outcomes.items() for span in outcome.spans]
    assert sorted(map(repr, told)) == sorted(map(repr, every))
    for event in agreed:
        starts = [span.start_ms for span in event.sightings.values()]
        assert max(starts) - min(starts) <= gap
        assert {(span.label, span.team) for span in event.sightings.values()} == {(event.label, event.team)}
        assert event.confidence == round(len(event.sightings) / len(outcomes), 4)
    assert [event.start_ms for event in agreed] == sorted(event.start_ms for event in agreed)


@given(OUTCOMES, st.integers(0, 8000))
def test_the_order_of_pipelines_and_of_their_events_does_not_matter(outcomes: dict[str, Outcome], gap: int) -> None:
    turned = {name: Outcome(spans=list(reversed(outcomes[name].spans))) for name in sorted(outcomes, reverse=True)}
    assert agree(outcomes, gap) == agree(turned, gap)


def test_two_of_three_saw_the_goal() -> None:
    goal = Span(start_ms=10_000, end_ms=13_000, label="Goal", team="home", confidence=0.4)
    later = Span(start_ms=12_000, end_ms=15_000, label="Goal", team="home", confidence=0.9)
    foul = Span(start_ms=11_000, end_ms=14_000, label="Foul", team="home", confidence=0.9)
    outcomes = {"a": Outcome(spans=[goal]), "b": Outcome(spans=[later]), "c": Outcome(spans=[foul])}
    _, both = agree(outcomes, 3000)
    seen = list(both.sightings)
    assert (both.label, both.start_ms, both.confidence, seen) == ("Goal", 12_000, 0.6667, ["a", "b"])
