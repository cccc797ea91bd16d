"""The options that `run` and `shell` have in common."""

from __future__ import annotations

import click

model_option = click.option(
    "-m",
    "--model",
    "model",
    metavar="MODEL",
    help="A Python file, a folder with agent.py, or module:attribute; an echo bot without it.",
)

timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the end waits for events to be delivered.",
)
