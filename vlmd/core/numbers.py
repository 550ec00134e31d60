"""Numbers in sentences."""


def counted(count: int, word: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
