"""The examples inside the shipped definitions, file by file, as one of the ways in which the engine is tested."""

import pytest

from rules import SHIPPED, DefinitionSet, Overlay, loader, read_definitions
from rules.loader import LoadedFile
from rules.testing import example_faults
from tests.helpers.builders import shipped

LOADED: DefinitionSet = read_definitions([SHIPPED])
FILES = [file for file in LOADED.files if not isinstance(file.model, Overlay)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.key))
def test_every_example_of_a_definition_comes_out(file: LoadedFile) -> None:
    examples = loader.tests_of(file)
    assert examples
    faults = {
        str(example.get("name", line)): found
        for line, example in examples
        if (found := list(example_faults(file, example, shipped(), LOADED)))
    }
    assert not faults
