"""The tables of `vlmd plan` and of `vlmd models`."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from vlmd import catalog
from vlmd.cli.planned import PRECISIONS, smallest_card
from vlmd.cli.words import console, print_json
from vlmd.core import plans
from vlmd.core.errors import WorkerError
from vlmd.core.figures import Figures
from vlmd.core.names import shown
from vlmd.core.plans import Shape

_TAKEN = "▸"
_WITH_OWNERS = 100
"""Columns of a terminal on which names are shown in full."""
_KEY = """\
frame: tokens of one; bf16, int8, NF4: GB of weights; on: the smallest card that answers windows of 15 frames.
`vlmd plan MODEL` tells more."""


def print_plan(said: dict[str, Any]) -> None:
    """The document of `vlmd.cli.planned` for people."""
    out = console()

    def line(*text: Text | str) -> None:
        out.print(*text, soft_wrap=True)

    line(Text(shown(said["model"]), "bold"), said["source"])
    line(said["architecture"])
    line(f"{billions(said['parameters'])} parameters, {billions(said['quantizable'])} of them can be quantized")
    line(f"a context of {said['context']:,} tokens, {said['cache_bytes_per_token'] / 1024:g} KiB of cache for each")
    line(
        f"{said['window']['words']} tokens of prompt, up to {said['window']['new_tokens']} of answer; {_TAKEN} is taken"
    )
    out.print(_sizes(said))
    if said["problem"]:
        line(Text(said["problem"], "yellow"))
    line(f"GB for a batch of {said['batch']} (at work: at the most), and the largest batch that fits")
    out.print(_memory(said))
    for card in said["cards"]:
        line(_verdict(said, card))
    if not said["cards"]:
        line("no GPU answers here; --gpu 24 shows what fits a card of 24 GB")


def print_catalog(as_json: bool = False) -> None:
    """Every model of the catalog in a line: what it takes, and the smallest card that answers with it."""
    rows = [_listed(name, figures) for name, figures in catalog.listed().items()]
    if as_json:
        print_json(rows)
        return
    out = console()
    wide = out.width >= _WITH_OWNERS
    table = _table("model", "size", "frame", "bf16", "int8", "NF4", "bf16 on", "NF4 on")
    for row in rows:
        weights = [gigabytes(row["weights_bytes"][precision]) for precision in PRECISIONS]
        cards = [_gb(row["smallest_card_gb"][precision]) for precision in ("bf16", "nf4")]
        name = row["model"] if wide else row["model"].partition("/")[2]
        table.add_row(name, billions(row["parameters"]), str(row["frame_tokens"]), *weights, *cards)
    out.print(table)
    out.print(_KEY, soft_wrap=True)


def _listed(name: str, figures: Figures) -> dict[str, Any]:
    shape = Shape()
    try:
        size = plans.chosen_size(figures, shape)
    except WorkerError:  # not even the coarsest: it is listed as what it takes
        size = figures.sizes[0]
    return {
        "model": name,
        "architecture": figures.architecture,
        "parameters": figures.parameters,
        "context": figures.context,
        "frame_tokens": size.tokens,
        "weights_bytes": {precision: plans.weights(figures, precision) for precision in PRECISIONS},
        "smallest_card_gb": {precision: smallest_card(figures, precision, shape) for precision in PRECISIONS},
    }


def _sizes(said: dict[str, Any]) -> Table:
    window = said["window"]
    what = "all frames" if said["shared"] else "a frame"
    table = _table("", f"tokens {what}", "at most", f"a window of {window['frames']}", "frames that fit", "edge")
    for size in said["sizes"]:
        fits = size["frames_that_fit"]
        style = "bold" if size["taken"] else "" if size["fits_context"] else "red"
        table.add_row(
            _TAKEN if size["taken"] else "",
            f"{size['frame_tokens']:,}",
            f"{size['frame_tokens_at_most']:,}",
            f"{size['window_tokens']:,}",
            "any number" if fits is None else f"{fits:,}",
            f"{size['longest_edge']:,}",
            style=style,
        )
    return table


def _memory(said: dict[str, Any]) -> Table:
    columns = ["", "a frame", "weights", "cache", "at work", "CUDA", "total"]
    table = _table(*columns, *(f"batch on\n{_short(card)}" for card in said["cards"]))
    taken = [size["frame_tokens"] for size in said["sizes"] if size["taken"]]
    for number, row in enumerate(said["memory"]):
        parts = ("weights", "cache", "activations", "context", "total")
        cells = [gigabytes(row[f"{part}_bytes"]) for part in parts]
        fits = [_fits(card["fits"][number]["largest_batch"]) for card in said["cards"]]
        style = "bold" if row["frame_tokens"] in taken else ""
        table.add_row(row["precision"], f"{row['frame_tokens']:,}", *cells, *fits, style=style)
    return table


def _short(card: dict[str, Any]) -> str:
    """A GPU that is here is called by its device."""
    name = str(card["name"])
    return name.partition(" ")[0] if ":" in name else name


def _fits(batch: int) -> Text:
    return Text(f"{batch:,}", "green") if batch else Text("no", "red")


def _verdict(said: dict[str, Any], card: dict[str, Any]) -> Text:
    room = f"{shown(card['name'])}, {gigabytes(card['free_bytes'])} of {gigabytes(card['total_bytes'])} GB free: "
    if said["problem"]:
        return Text(f"{room}no window fits the context", "red")
    if batch := card["largest_batch"]:
        return Text(
            f'{room}precision "auto" is {card["auto"]} there, up to {batch:,} {_windows(batch)} at once', "green"
        )
    if card["least_bytes"] <= card["free_bytes"]:
        return Text(f'{room}not with precision "auto" just now, which is {card["auto"]} there; with "nf4"', "yellow")
    return Text(f"{room}it does not fit; nf4 takes {gigabytes(card['least_bytes'])} GB at the least", "red")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _windows(count: int) -> str:
    return "window" if count == 1 else "windows"


def _gb(gigabytes: int | None) -> str:
    return "none" if gigabytes is None else f"{gigabytes} GB"


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f}" if count >= 1e8 else f"{count / 1e9:.3f}"


def billions(count: float) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e8 else f"{count / 1e6:.1f} M"
