"""`vlmd demo` (placeholder until the model is there)."""

import click

COMMANDS: list[click.Command] = []
