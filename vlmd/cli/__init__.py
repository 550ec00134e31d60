"""The command line: one module per group of verbs; wiring and words only.

Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 the daemon is not
running, 4 no such job, 69 unavailable (database, GPU), 78 configuration, 130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vlmd import __version__
from vlmd.cli import demo, look, queue, run, trial
from vlmd.cli.errors import exit_code, sentence


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="vlmd")
@click.option(
    "-c", "--config", type=click.Path(path_type=Path), help="The config file. [default: see README, Configuration]"
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Drop videos into a folder; get what a vision-language model saw in them."""
    context.obj = config


for command in (*run.COMMANDS, *queue.COMMANDS, *look.COMMANDS, *trial.COMMANDS, *demo.COMMANDS):
    cli.add_command(command)


def main() -> None:
    """Entry point: no user ever sees a stack trace of an error that vlmd knows."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BaseException as error:
        code = exit_code(error)
        if code is None:
            raise
        click.echo(f"vlmd: {sentence(error)}", err=True)
        sys.exit(code)
