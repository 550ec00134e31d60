"""The command line: one module per group of verbs; wiring and words only.

Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 the daemon is not
running, 4 no such job, 69 no worker can run, 74 the disk failed, 75 the database cannot be used, 78 configuration,
130 interrupted.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vlmd import __version__
from vlmd.cli.errors import exit_code, sentence
from vlmd.log import fill_descriptors, say

if TYPE_CHECKING:
    from vlmd.config import Given

_COMMANDS = {
    "init": "init",
    "run": "run",
    "submit": "queue",
    "status": "look",
    "top": "top",
    "jobs": "look",
    "show": "look",
    "retry": "queue",
    "cancel": "queue",
    "merge": "queue",
    "export": "export",
    "pause": "devices",
    "drain": "devices",
    "resume": "devices",
    "plan": "plan",
    "try": "trial",
    "models": "models",
    "evaluate": "evaluate",
    "compare": "compare",
    "report": "report",
    "import": "importing",
    "gc": "gc",
    "doctor": "doctor",
    "demo": "demo",
    "config": "config",
    "reload": "config",
    "completion": "completion",
}
"""Verb → the module it lives in, in the order they are listed."""
_RESERVED = {"try": "trial", "import": "import_"}
"""Verbs that are words of Python → what they are called there."""


class _Verbs(click.Group):
    """Imports a verb's module when the verb is used: asking how a job goes need not load the whole daemon."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = import_module(f"vlmd.cli.{_COMMANDS[name]}")
        command: click.Command = getattr(module, _RESERVED.get(name, name))
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="vlmd")
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="The config file. [default: see README, Configuration]"
)
@click.option(
    "--set", "sets", metavar="KEY=VALUE", multiple=True, help="Set one key, as in limits.load_seconds=60. Repeatable."
)
@click.pass_context
def cli(context: click.Context, config: Path | None, sets: tuple[str, ...]) -> None:
    """Drop videos into a folder; get what a vision-language model saw in them."""
    context.obj = given(context)


def given(context: click.Context) -> Given:
    """What the command line says of the settings, also while it is still being typed."""
    from vlmd.config import Given  # takes a moment, which `vlmd --help` need not

    params = context.find_root().params
    return Given(params.get("config"), tuple(params.get("sets") or ()))


def main() -> None:
    """Entry point: no user ever sees a stack trace of an error that vlmd knows."""
    fill_descriptors()
    try:
        cli(prog_name="vlmd", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        sys.exit(130)
    except BaseException as error:
        code = exit_code(error)
        if code is None:
            raise
        say(f"vlmd: {sentence(error)}")
        sys.exit(code)
