"""What all commands share: the group that loads them lazily, their common options, and how errors end.

Every command lives in a module `cli_*` of its own, which imports at its top nothing but this one, so that
`stagewatch --help` answers at once; rooms are imported inside the commands.
"""

# ruff: noqa: PLC0415 - what is imported inside functions is what `stagewatch --help` must not wait for

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from stagewatch.output import Output
    from stagewatch.settings import Settings

VERBOSE = "stagewatch.is_verbose"
CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Failed(click.ClickException):
    """The command could not do its work; one line on stderr, exit code 1."""


def _be_verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's form
    if value:
        ctx.find_root().meta[VERBOSE] = True


def _verbose() -> click.Option:
    return click.Option(
        ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_be_verbose, help="Show tracebacks."
    )


class Command(click.Command):
    """A command that knows `-v`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed through to click
        super().__init__(*args, **kwargs)
        self.context_settings = {**CONTEXT, **self.context_settings}
        self.params.append(_verbose())


class Group(click.Group):
    """Commands by name, each in the module that is named here and imported when it is asked for."""

    def __init__(self, *, members: dict[str, str], **kwargs: Any) -> None:  # noqa: ANN401 - handed through to click
        super().__init__(context_settings=CONTEXT, **kwargs)
        self.params.append(_verbose())
        self._members = members

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Give the names in the order of the contract's table."""
        return list(self._members)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import and give one command."""
        place = self._members.get(name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - our own table
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with; an unknown name lists the known."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(unknown("command", args[0], self._members), ctx)
        return super().resolve_command(ctx, args)


def unknown(kind: str, name: str, known: Any) -> str:  # noqa: ANN401 - any iterable of names
    """Give the message for a name that is not known; it lists those that are."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"no {kind} '{name}'{hint}; known: {', '.join(names) or 'none'}"


def command(**kwargs: Any) -> Callable[[Callable[..., Any]], Command]:  # noqa: ANN401 - handed through to click
    """Make a command of ours."""
    return click.command(cls=Command, **kwargs)


def settings_option(function: _Command) -> _Command:
    """Give a command `-c FILE`; it arrives as `config`."""
    return click.option(
        "-c", "--config", metavar="FILE", help="Settings in YAML; environment variables STAGEWATCH_<KEY> win.",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
    )(function)  # fmt: skip


def output_option(function: _Command) -> _Command:
    """Give a command `-o json`; it arrives as `form`."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="json: an object a line."
    )(function)


def settings_from(config: Path | None, output: Output, *, as_set: bool = False) -> Settings:
    """Read the settings; what is odd about them is said on stderr.

    Where no broker is set, it is the embedded one of the worker that runs in the same data folder, if one does;
    with `as_set` it stays unset.
    """
    from stagewatch.embedded import running_url
    from stagewatch.settings import load_settings

    settings = load_settings(config, os.environ)
    for warning in settings.warnings:
        output.warn(warning)
    if settings.bootstrap is None and not as_set and (url := running_url(settings.data_dir)) is not None:
        return settings.model_copy(update={"broker": url})
    return settings


def bootstrap_of(settings: Settings) -> str:
    """Give the broker's address. Raises Failed where none is set."""
    if settings.bootstrap is None:
        raise Failed("no broker is set: name it with STAGEWATCH_BROKER or in the settings file")
    return settings.bootstrap


ZONE = "Asia/Shanghai"
"""The business's own: of times from the command line where no calendar says another."""


def moment(text: str, *, now_ms: int, zone: str) -> int:
    """Give a time from the command line as epoch ms.

    `now`, or ISO 8601; without a zone it is local to `zone`, a date alone means the end of that day. Raises
    BadParameter.
    """
    if text.strip().lower() == "now":
        return now_ms
    try:
        time = datetime.fromisoformat(text.strip())
        if is_date(text):
            time += timedelta(days=1)
        if time.tzinfo is None:
            time = time.replace(tzinfo=ZoneInfo(zone))
        return round((time - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))) / timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time; write ISO 8601 such as 2026-06-20T00:00:00+08:00, or `now`"
        ) from None


def is_date(text: str) -> bool:
    """Tell whether a time from the command line is a date alone, `2026-06-20` or `20260620`."""
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True
