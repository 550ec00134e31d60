"""`vlmd completion SHELL`: the script that lets a shell complete vlmd's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_COMPLETE_VARIABLE = "_VLMD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes vlmd's words in SHELL. For bash, `eval "$(vlmd completion bash)"` in ~/.bashrc."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these three"
    root = context.find_root()
    click.echo(kind(root.command, {}, "vlmd", _COMPLETE_VARIABLE).source())
