"""What the sample PostgreSQL has, the shipped sources read, and the other way round for the tables that it has."""

import re
from pathlib import Path

import yaml

from connectors import SHIPPED_SOURCES
from tests.helpers.postgres import SAMPLE_TABLES


def sample_tables() -> dict[str, set[str]]:
    """Columns of every table that the script makes, by `schema.table`."""
    sql = re.sub(r"--.*", "", SAMPLE_TABLES.read_text(encoding="utf-8"))
    found = re.findall(r"create table (\w+\.\w+) \((.*?)\);", sql, re.DOTALL)
    return {table: {part.split()[0] for part in re.split(r",\s*(?![^(]*\))", body)} for table, body in found}


def declared_tables() -> dict[str, set[str]]:
    """Columns that the shipped source files name, keys too."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(Path(SHIPPED_SOURCES).rglob("*.yaml"))]
    return {
        f"{file['source']}.{name}": {*table["key"], *table["columns"]}
        for file in files
        for name, table in file.get("tables", {}).items()  # one file has code lists only
    }


def test_every_column_that_a_source_declares_is_in_the_sample() -> None:
    sample = sample_tables()
    declared = declared_tables()
    missing = {table: declared[table] - columns for table, columns in sample.items()}
    assert {table: columns for table, columns in missing.items() if columns} == {}


def test_every_sample_table_is_read() -> None:
    assert set(sample_tables()) - set(declared_tables()) == set()
