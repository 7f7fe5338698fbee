"""Settings: default < YAML file (-c) < environment variable `STAGEWATCH_<KEY>`.

Called once by every command. Reads the file and the mapping it is given, nothing else, and never shows
a password: errors name the place and what is expected, `describe` masks URLs.
"""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, PrivateAttr, ValidationError

from schemas import DefinitionError, StagewatchError, load_yaml, pydantic_faults
from stagewatch.setting_keys import Keys

PREFIX = "STAGEWATCH_"
NOT_SETTINGS = frozenset({"STAGEWATCH_REQUIRE"})
"""Variables of the name's space that are not for the program: what CI demands of the tests."""

SHOWN_PARAMETERS = frozenset(
    {
        "from",
        "starttls",
        "bounces",
        "sslmode",
        "timeout",
        "connect_timeout",
        "access",
        "version",
        "rate",
        "window",
        "connections",
    }
)
"""Parameters of URLs that hold no secret; the value of any other is masked."""

_LISTS = frozenset({"connectors", "definitions", "sources"})
_YAML_VALUES = frozenset({"dialects", "mute", "precedence", "push_tokens", "quiet_hours", "sms_carriers"})


class SettingError(StagewatchError):
    """Settings that cannot be used; `messages` has each with its file, line and column, or its variable."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class Settings(Keys):
    """All settings, where each came from, and what was odd about them."""

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Give what a person should hear of, one line each: unknown environment variables."""
        return self._warnings

    def source_of(self, key: str) -> str:
        """Say where a setting came from: `default`, `FILE:LINE`, or the environment variable."""
        return self._sources.get(key, "default")


class SettingRow(NamedTuple):
    """A line of `stagewatch settings`; all are text for people."""

    key: str
    value: str
    source: str
    meaning: str


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Give the settings. Raises SettingError with all faults of file and environment.

    Relative paths in the file are relative to its folder, those in variables to the working folder.
    A variable that is empty turns off what can be turned off, and counts as not set elsewhere.
    """
    messages: list[str] = []
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    if path is not None:
        _read_file(path, values, sources, messages)
    _read_environment(environ, values, sources, messages)
    if messages:
        raise SettingError(messages)
    settings = Settings().model_copy(update=_defaults(environ, values) | values)
    settings._sources = sources  # noqa: SLF001 - ours; a frozen model's private attributes are set from its module
    settings._warnings = tuple(_unknown_variables(environ))  # noqa: SLF001
    return settings


def describe(settings: Settings) -> list[SettingRow]:
    """Give every setting with value, source and meaning; passwords and tokens in URLs are masked."""
    rows = []
    for key, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        unit = f" {extra['unit']}" if isinstance(extra, dict) and "unit" in extra else ""
        value = _shown(getattr(settings, key))
        rows.append(SettingRow(key, f"{value}{unit}", settings.source_of(key), field.description or ""))
    return rows


def masked_url(url: str) -> str:
    """Give a URL without user, password and the parameters that may be secret."""
    head, mark, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    pairs = [pair.partition("=") for pair in query.split("&")]
    if any("@" in name or ("@" in value and name not in SHOWN_PARAMETERS) for name, _, value in pairs):
        return f"{scheme}://***"  # the ? may stand in a password: nobody can tell where that ends
    if "@" in rest:  # a password may hold any character, `/` too: all up to the last @ goes
        head = f"{scheme}://***@{rest.rpartition('@')[2]}"
    shown = (
        f"{name}={value}" if name in SHOWN_PARAMETERS else f"{name}=***" if is_ else "***" for name, is_, value in pairs
    )
    return head + mark + ("&".join(shown) if mark else "")


# -- where values come from ----------------------------------------------------------------------------------


def _read_file(path: Path, values: dict[str, object], sources: dict[str, str], messages: list[str]) -> None:
    try:
        data, places = load_yaml(path.read_bytes(), str(path))
    except OSError as error:
        messages.append(f"{path}: {error.strerror or error}")
        return
    except DefinitionError as error:
        messages += [str(fault) for fault in error.faults]
        return
    if data is None:
        return
    if not isinstance(data, dict):
        messages.append(f"{path}:1:1: expected settings, `key: value` a line")
        return
    unknown = [key for key in data if key not in Settings.model_fields]
    faults = [places.fault((key,), _unknown(str(key), "setting", Settings.model_fields), key=True) for key in unknown]
    known = {str(key): value for key, value in data.items() if key not in unknown}
    try:
        read = Settings.model_validate(known, context={"base": path.absolute().parent})
    except ValidationError as error:
        faults += pydantic_faults(error, places)
    else:
        values |= {key: getattr(read, key) for key in known}
        sources |= {key: f"{path}:{places.at((key,), key=True)[0]}" for key in known}
    messages += [str(fault) for fault in sorted(faults, key=lambda fault: (fault.line, fault.column))]


def _read_environment(
    environ: Mapping[str, str], values: dict[str, object], sources: dict[str, str], messages: list[str]
) -> None:
    for key in Settings.model_fields:
        name = PREFIX + key.upper()
        text = environ.get(name)
        if text is None or (text == "" and not _can_be_unset(key)):
            continue
        try:
            values[key] = getattr(Settings.model_validate({key: _parsed(key, text, name)}), key)
            sources[key] = name
        except DefinitionError as error:
            messages += [f"{name}: {fault.message}" for fault in error.faults]
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False, include_input=False):
                inside = ".".join(str(part) for part in item["loc"][1:])
                text = item["msg"].removeprefix("Value error, ")
                messages.append(f"{name}: {inside}: {text}" if inside else f"{name}: {text}")


def _parsed(key: str, text: str, name: str) -> object:
    """Give a variable's value: lists of folders as in PATH, nested settings as YAML (so JSON too)."""
    if key in _LISTS:
        return [part for part in text.split(os.pathsep) if part]
    if key in _YAML_VALUES:
        return load_yaml(text, name)[0]
    return None if text == "" else text


def _can_be_unset(key: str) -> bool:
    return Settings.model_fields[key].default is None


def _defaults(environ: Mapping[str, str], values: Mapping[str, object]) -> dict[str, object]:
    """Give the defaults that hang on the machine: the data folder (XDG), and the store inside it."""
    home = Path(environ.get("HOME") or ".").absolute()
    data_home = environ.get("XDG_DATA_HOME") or ""
    base = Path(data_home) if data_home.startswith("/") else home / ".local" / "share"
    data_dir = values.get("data_dir", base / "stagewatch")
    return {"data_dir": data_dir, "store": f"sqlite:///{data_dir}/stagewatch.db"}


def _unknown_variables(environ: Mapping[str, str]) -> Iterable[str]:
    known = [key.upper() for key in Settings.model_fields]
    for name in sorted(environ):
        key = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and key not in known and name not in NOT_SETTINGS:
            yield _unknown(key, "environment variable", known, PREFIX)


def _unknown(name: str, kind: str, known: Iterable[str], prefix: str = "") -> str:
    near = [prefix + other for other in get_close_matches(name, known, n=3, cutoff=0.6)]
    every = "`stagewatch settings` lists all" if prefix else f"known: {', '.join(sorted(known))}"
    hint = f"did you mean {' or '.join(near)}?" if near else every
    return f"unknown {kind} '{prefix}{name}'; {hint}"


def _shown(value: object) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple | list):
        return ", ".join(_shown(item) for item in value) or "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    text = "(unset)" if value is None else str(value)
    return masked_url(text) if "://" in text else text
