"""The fields of an event as models name them."""

from __future__ import annotations

from vlmd.core.tasks.words import says_none, words_of

LABEL_KEYS = ("label", "event", "event_label", "event_type", "action")
TEAM_KEYS = ("team",)
CONFIDENCE_KEYS = ("confidence", "score", "probability")
DETAILS_KEYS = ("details", "detail", "description")


class Fields:
    """The fields of one object, by name without case and punctuation; what is taken is no longer left.

    Of two that differ in nothing else the last one counts.
    """

    def __init__(self, written: dict[str, object]) -> None:
        self.left = {"_".join(words_of(str(key))): (key, value) for key, value in written.items()}

    def take(self, names: tuple[str, ...]) -> tuple[str | None, object]:
        """Key as written and value of the first of `names` there is."""
        for name in names:
            if name in self.left:
                return self.left.pop(name)
        return None, None

    def only_says_none(self) -> bool:
        """Whether there is but one field left, and it says none: {"events": null}."""
        return len(self.left) == 1 and all(says_none(value) for _, value in self.left.values())

    def drop_cut(self) -> bool:
        """Leaves the last field out, unless it is free text, of which the beginning is of use."""
        last = next(reversed(self.left), None)
        return last is not None and last not in DETAILS_KEYS and bool(self.left.pop(last))


def is_wrapper(written: dict[str, object]) -> bool:
    """Whether an object has no label of its own but holds others: {"events": [..]}; {} holds nothing."""
    key, label = Fields(written).take(LABEL_KEYS)
    if key is not None and not isinstance(label, dict | list):
        return False
    return not written or any(isinstance(value, dict | list) for value in written.values())
