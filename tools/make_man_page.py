"""Make tools/share/man/man1/vlmd.1 from the help of every verb: `python tools/make_man_page.py [FILE]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from vlmd import __version__
from vlmd.cli import cli
from vlmd.config.settings import Settings

PAGE = Path(__file__).parent / "share" / "man" / "man1" / "vlmd.1"

_STATUS = [
    ("0", "done"),
    ("1", "failed, or, after `run --once`, something has no result"),
    ("2", "wrong usage"),
    ("3", "the daemon is not running"),
    ("4", "no such job"),
    ("69", "no worker can run"),
    ("74", "the disk failed"),
    ("75", "the database is in use or cannot be used"),
    ("78", "the configuration is wrong"),
    ("130", "interrupted"),
]
_FILES = [
    ("/etc/vlmd/config.toml", "The machine's settings."),
    ("~/.config/vlmd/config.toml", "The user's settings, laid over the machine's key by key ($XDG_CONFIG_HOME)."),
    ("paths.inbox", "Videos are dropped here, into a folder named after a pipeline. Nothing in it is ever changed."),
    ("paths.results", "Results, one JSON file a video, in the same folders."),
    ("paths.state", "The database; a local disk."),
    ("paths.socket", "Where the verbs reach the daemon."),
    ("paths.models", "What `vlmd models fetch` put there: OWNER--NAME/COMMIT, with vlmd.json in it."),
]
_ENVIRONMENT = [
    ("VLMD_CONFIG", "The config file, as with --config."),
    (
        "VLMD_SECTION__KEY",
        "Sets one key, as in VLMD_LIMITS__LOAD_SECONDS=60 or VLMD_PIPELINES__SOCCER__GAP_SECONDS=5. In the name of "
        'a model or pipeline "_" also stands for "-" and ".". The value is TOML, or a plain text where the key takes '
        "one.",
    ),
    (
        "STATE_DIRECTORY, RUNTIME_DIRECTORY, CONFIGURATION_DIRECTORY",
        "Set by systemd: the defaults of paths.state, paths.models and paths.socket, and the folder of the machine's "
        "config.toml.",
    ),
    ("CUDA_VISIBLE_DEVICES", "The GPUs that may be used."),
    (
        "HF_TOKEN, HF_ENDPOINT",
        "For `vlmd models fetch`: the token for gated and private models, and another hub than https://huggingface.co. "
        "Without HF_TOKEN, $CREDENTIALS_DIRECTORY/hf_token counts.",
    ),
]
_SETTINGS = (
    "A key counts as set by the first of: --set, the environment, --config or $VLMD_CONFIG, the user's config.toml, "
    "the machine's config.toml, its default. A file named by --config or $VLMD_CONFIG takes the place of the user's "
    "and the machine's. `vlmd config show --origin` tells which one counted. SIGHUP and `vlmd reload` read everything "
    "again; what has to wait for a restart keeps its old value, and is named."
)
_ESCAPES = {"\\": "\\e", "-": "\\-", "`": "\\(ga", "~": "\\(ti", "^": "\\(ha"}


def man_page() -> str:
    """The whole page, in roff."""
    root = click.Context(cli, info_name="vlmd")
    lines = [f'.TH VLMD 1 "" "vlmd {__version__}" "User Commands"']
    lines += [".SH NAME", f"vlmd \\- {_text(_about(cli)[0].rstrip('.').lower())}"]
    lines += [".SH SYNOPSIS", r".B vlmd", r"[\fIOPTIONS\fR] \fIVERB\fR [\fIARGS\fR]..."]
    lines += [".SH OPTIONS", *_options(root), ".SH VERBS", *_verbs(root)]
    sections = ", ".join(f"[{name}]" for name in Settings.model_fields)
    known = f"The sections are {sections}; config.toml explains each."
    lines += [".SH SETTINGS", _text(_SETTINGS), ".PP", _text(known)]
    for title, entries in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT), ("EXIT STATUS", _STATUS)):
        lines += [f".SH {title}", *(line for name, about in entries for line in _entry(name, about))]
    return "\n".join(lines) + "\n"


def verbs(context: click.Context) -> Iterator[click.Context]:
    """Every verb, with its own verbs in its place."""
    group = context.command
    if not isinstance(group, click.Group):
        yield context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from verbs(click.Context(command, info_name=name, parent=context))


def _verbs(root: click.Context) -> Iterator[str]:
    for context in verbs(root):
        arguments = [part for part in context.command.collect_usage_pieces(context) if part != "[OPTIONS]"]
        yield f".SS {_text(' '.join([context.command_path, *arguments]))}"
        first, *rest = _about(context.command)
        yield _text(first)
        yield from (line for paragraph in rest for line in (".PP", _text(paragraph)))
        yield from _options(context)


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option) and "--help" not in parameter.opts:
            yield from _entry(*record)


def _entry(name: str, about: str) -> Iterator[str]:
    yield ".TP"
    yield f".B {_text(name)}"
    yield _text(about)


def _about(command: click.Command) -> list[str]:
    """The paragraphs of its help."""
    return [" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")]


def _text(text: str) -> str:
    """Safe in roff: no escapes, no requests, dashes that can be copied."""
    for plain, escaped in _ESCAPES.items():
        text = text.replace(plain, escaped)
    return re.sub(r"^([.'])", r"\\&\1", " ".join(text.split()))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(man_page())
