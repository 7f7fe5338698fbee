"""What tests of files and roads stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stagewatch.embedded import EmbeddedBroker


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    """Give an embedded broker of its own, which the commands of the test are set to."""
    monkeypatch.setenv("STAGEWATCH_DATA_DIR", str(tmp_path / "data"))
    with EmbeddedBroker(tmp_path / "broker.log") as broker:
        monkeypatch.setenv("STAGEWATCH_BROKER", broker.url)
        yield broker
