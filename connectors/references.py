"""Secrets by reference: what a file of ours says instead of a password or a token.

`env:NAME` or `file:PATH`. Read whenever it is needed, so that a secret can be changed without a restart; never shown.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from schemas import StagewatchError

_KINDS = ("env", "file")


class MissingSecret(StagewatchError):
    """A reference that leads nowhere."""


def _checked(reference: str) -> str:
    kind, colon, name = reference.partition(":")
    if kind not in _KINDS or not colon or not name:
        raise ValueError("expected env:NAME or file:PATH, and not the secret itself")
    return reference


Reference = Annotated[str, AfterValidator(_checked)]


def secret_of(reference: str) -> str:
    """Give the secret. Raises MissingSecret, which names the reference only."""
    kind, _, name = reference.partition(":")
    try:
        secret = os.environ.get(name, "") if kind == "env" else Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingSecret(f"{reference}: {getattr(error, 'strerror', None) or 'no text'}") from None
    if not secret:
        raise MissingSecret(f"{reference}: empty or not set")
    return secret
