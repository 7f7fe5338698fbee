# ruff: noqa: DTZ001 - a sheet's times have no zone
"""Files as rows: encodings, delimiters, workbooks, and what people write into cells."""

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.files import Form, UnreadableFile, open_sheet
from connectors.files.cells import BadCell, cell_value
from connectors.files.spoilt import NOT_WORKED_OUT
from schemas import ColumnType

HEAD = ["app_no", "cust_name"]
ROWS = [["A1", "张三"], ["A2", "李四, 王五"]]


def read(path: Path, form: Form | None = None) -> tuple[list[str], list[list[Any]]]:
    with open_sheet(path, form or Form()) as sheet:
        return list(sheet.head), [list(line.cells) for line in sheet.lines()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_out(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in [HEAD, *ROWS]]
    path.write_text("\r\n".join(lines), encoding=encoding)
    assert read(path) == (HEAD, ROWS)


def test_encoding_and_delimiter_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("app_no,;cust_name\nA1;x,y\n", encoding="big5")
    assert read(path, Form(encoding="big5", delimiter=";")) == (["app_no,", "cust_name"], [["A1", "x,y"]])
    with pytest.raises(UnreadableFile, match="no encoding 'utf-9'"):
        read(path, Form(encoding="utf-9"))


def test_a_row_is_named_by_the_line_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('app_no,note\nA1,"two\nlines"\n\nA2,x\n', encoding="utf-8")
    with open_sheet(path) as sheet:
        assert [(line.number, list(line.cells)) for line in sheet.lines()] == [
            (2, ["A1", "two\nlines"]),
            (5, ["A2", "x"]),
        ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\n\n", "empty"), (b'a,b\n"x"y,2\n', "2: "), (b"a\n\xff\xff\xff\x80", "neither UTF-8 nor")],
)
def test_what_is_no_table_is_refused_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_a_workbook_is_read_with_its_own_types(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["app_no", "at", "n", None],
        ["A1", datetime(2026, 3, 2, 9, 5), 1.0, None],
        [None] * 4,
        ["A2", None, 2],
    ):
        sheet.append(row)
    book.create_sheet("zweite").append(["x"])
    book.save(path)
    head, rows = read(path)
    assert head == ["app_no", "at", "n"]
    assert rows == [["A1", datetime(2026, 3, 2, 9, 5), 1], ["A2", None, 2]]
    assert read(path, Form(sheet="zweite")) == (["x"], [])
    with pytest.raises(UnreadableFile, match="no sheet 'dritte'; there are Sheet, zweite"):
        read(path, Form(sheet="dritte"))


def test_cells_that_only_look_empty_are_told_from_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["app_no", "n", "org"], ["A1", "=1+1", "east"], ["A2", None, None], ["A3", 3, None]):
        sheet.append(row)
    sheet.merge_cells("C2:C4")
    book.save(path)
    _, rows = read(path)
    assert [row[0] for row in rows] == ["A1", "A2", "A3"]
    assert [row[1] for row in rows] == [NOT_WORKED_OUT, None, 3]
    with pytest.raises(BadCell, match="a formula without a value"):
        cell_value(rows[0][1], "int")
    for row in rows[1:]:
        with pytest.raises(BadCell, match="covered by the merged cell C2:C4; unmerge it"):
            cell_value(row[2], "text")


def test_a_sheet_that_says_it_is_smaller_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for number in range(11):
        sheet.append(["app_no", "cust_name"] if number == 0 else [f"A{number}", "x"])
    book.save(tmp_path / "right.xlsx")
    with zipfile.ZipFile(tmp_path / "right.xlsx") as right, zipfile.ZipFile(path, "w") as wrong:
        for name in right.namelist():
            data = right.read(name)
            wrong.writestr(name, data.replace(b'<dimension ref="A1:B11"', b'<dimension ref="A1:A4"'))
    head, rows = read(path)
    assert (head, len(rows)) == (HEAD, 10)


@pytest.mark.parametrize("rows", [1, 70_000])
def test_a_bad_byte_behind_a_mark_is_told_with_its_line_and_not_read_as_another_encoding(
    tmp_path: Path, rows: int
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffdistrict_no,name\n".encode() + "1,合肥\n".encode() * rows + b"2,\xff\n")
    with pytest.raises(UnreadableFile, match=f"a.csv:{rows + 2}: not UTF-8, as the file's mark says"):
        read(path)


def _with_cell(folder: Path, cell: bytes) -> Path:
    """Give a workbook whose second row's number is written as said."""
    book, path = openpyxl.Workbook(), folder / "a.xlsx"
    sheet = book.active
    assert sheet is not None
    for row in (["app_no", "cap"], ["A1", 1], ["A2", 2]):
        sheet.append(row)
    book.save(folder / "right.xlsx")
    with zipfile.ZipFile(folder / "right.xlsx") as right, zipfile.ZipFile(path, "w") as wrong:
        for name in right.namelist():
            data = right.read(name)
            assert b'<c r="B3" t="n"><v>2</v></c>' in data or not name.endswith("sheet1.xml")
            wrong.writestr(name, data.replace(b'<c r="B3" t="n"><v>2</v></c>', cell))
    return path


@pytest.mark.parametrize(
    "cell",
    [b'<c r="B3" t="n"><v>two</v></c>', b'<c r="B3" t="s"><v>99</v></c>', b'<c r="B3" t="s"><v>-1</v></c>'],
)
def test_a_row_that_the_workbook_spoils_is_named(tmp_path: Path, cell: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"a\.xlsx: sheet 'Sheet': row 3 cannot be read: cell B3: "):
        read(_with_cell(tmp_path, cell))


@pytest.mark.parametrize("cell", [b"<c", b"<c><f>1</f>", b'<c r="B3"><f>1</f></c></row><row r="x"/><row>'])
def test_where_a_sheet_ends_to_be_one_is_named(tmp_path: Path, cell: bytes) -> None:
    with pytest.raises(UnreadableFile, match=r"a\.xlsx: sheet 'Sheet'.* cannot be read: "):
        read(_with_cell(tmp_path, cell))


def test_a_number_beyond_all_bounds_is_a_bad_cell(tmp_path: Path) -> None:
    _, rows = read(_with_cell(tmp_path, b'<c r="B3" t="n"><v>1E400</v></c>'))
    for kind in ("int", "decimal", "text"):
        with pytest.raises(BadCell, match="beyond what a spreadsheet keeps"):
            cell_value(rows[1][1], kind)


def test_texts_that_cells_share_are_read_as_they_are(tmp_path: Path) -> None:
    texts = ["", "a_b", "_x0041_", "衢州😀", "two\nlines", " x "]
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for text in ("app_no", *texts, *texts):
        sheet.append([text, "k"])
    book.save(tmp_path / "a.xlsx")
    _, rows = read(tmp_path / "a.xlsx")
    assert [row[0] or "" for row in rows] == [*texts, *texts]


def test_a_file_that_only_looks_like_a_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_text("app_no\nA1\n", encoding="utf-8")
    with pytest.raises(UnreadableFile, match="no workbook"):
        read(path)


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("  A1\u3000", "text", "A1"), ("", "text", None), ("007", "text", "007"), (None, "int", None),
        ("2026/3/2 9:05", "timestamp", "2026-03-02 09:05"), ("2026年3月2日", "date", "2026-03-02"),
        ("20260302", "date", "2026-03-02"),
        ("2026-03-02T09:05:06.5+08:00", "timestamp", "2026-03-02 09:05:06.5+08:00"),
        (datetime(2026, 3, 2, 9, 5), "timestamp", "2026-03-02 09:05:00"),
        ("1,234,567.50", "decimal", "1234567.50"), ("1,5", "decimal", "1,5"), (0.1, "decimal", "0.1"),
        (3.0, "int", 3), (1234567890123456789, "int", 1234567890123456789), (123456789012345, "int", 123456789012345),
        (999999999999999.0, "decimal", 999999999999999),
        (13800000001.0, "text", "13800000001"), ("是", "bool", True), (True, "bool", True),
    ],
)  # fmt: skip
def test_what_people_write_is_understood(cell: object, kind: ColumnType, value: object) -> None:
    assert cell_value(cell, kind) == value


@pytest.mark.parametrize(
    ("cell", "kind", "message"),
    [
        ("1.38E+10", "text", "shortened"), (1234567890123456789, "text", "more than 15 digits"),
        ("3.326E+17", "int", "shortened"), ("-3.3E+05", "decimal", "shortened"), ("#SPILL!", "text", "formula"),
        (3.32600000744123e17, "int", "more than 15 digits"), (3.32600000744123e17, "decimal", "more than 15 digits"),
        (1234567890123450, "int", "more than 15 digits"), (46083, "date", "not a date"), ("#N/A", "int", "formula"),
        (datetime(2026, 3, 2).time(), "timestamp", "without"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_spoilt_is_refused(cell: object, kind: ColumnType, message: str) -> None:
    with pytest.raises(BadCell, match=message):
        cell_value(cell, kind)
