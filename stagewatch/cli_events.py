"""The option by which commands that judge again are told what to read; imports nothing heavy, like every `cli_*`."""

from pathlib import Path

import click

events_option = click.option(
    "--events", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Recorded events (.jsonl or .jsonl.gz); may be given several times. Left out: the broker's captured topics.",
)  # fmt: skip
