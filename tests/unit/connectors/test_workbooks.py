# ruff: noqa: DTZ001 - a sheet's times have no zone
"""Workbooks that spreadsheet programs do not write, and those parts of real ones that hide rows."""

import io
import time
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from connectors.files import Form, UnreadableFile, open_sheet
from connectors.files.spoilt import NOT_WORKED_OUT, Spoilt
from connectors.files.workbook_rows import MOST_AT_ONCE, MOST_ROWS, Portioned
from connectors.files.workbook_strings import StringsOnDisk

HEAD_ROW = b'<row r="1"><c r="A1" t="str"><v>app_no</v></c><c r="B1" t="str"><v>cap</v></c></row>'
SHEET = "xl/worksheets/sheet1.xml"


def row(number: object, value: int, *, before: str = "", inside: str = "") -> bytes:
    """Give one row of a sheet with a number and, in column B, a value."""
    return f'{before}<row r="{number}">{inside}<c r="B{number}"><v>{value}</v></c></row>'.encode()


def workbook(folder: Path, *rows: bytes, dimension: str = "A1:B3") -> Path:
    """Write a workbook whose first sheet has these rows of XML behind its head."""
    right, path = folder / "right.xlsx", folder / "a.xlsx"
    openpyxl.Workbook().save(right)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    head = f'<worksheet xmlns="{space}"><dimension ref="{dimension}"/><sheetData>'.encode()
    with zipfile.ZipFile(right) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != SHEET:
                new.writestr(name, old.read(name))
        with new.open(SHEET, "w", force_zip64=True) as part:
            for data in (head, HEAD_ROW, *rows, b"</sheetData></worksheet>"):
                part.write(data)
    return path


def read(path: Path, sheet: str | None = None) -> list[tuple[int, list[object]]]:
    with open_sheet(path, Form(sheet=sheet)) as opened:
        return [(line.number, list(line.cells)) for line in opened.lines()]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(5, 1), row(3, 2)], "a row with the number 3 stands behind row 5"),
        ([row(2, 1), row(2, 2)], "a row with the number 2 stands behind row 2"),
        ([row(0, 1)], "a row with the number 0 stands behind row 1"),
        ([row(2, 1), row(900_000_000, 2)], "a row with the number 900000000 stands behind row 2, and a sheet has"),
        ([row(2, 1, inside='<c r="A7"><v>9</v></c>')], "row 2 has a cell A7"),
        ([row(2, 1, inside='<c r="XFE2"><v>9</v></c>')], "row 2 has a cell XFE2"),
        ([row(2, 1, inside='<c r="ZZZZ2"><v>9</v></c>')], "row 2 cannot be read: cell ZZZZ2"),
        ([row(2, 1, inside='<c r="C2"><v>9</v></c>')], "the cells of row 2 are not in order: B2"),
        ([row(2, 1, inside='<c r="B2"><v>9</v></c>')], "the cells of row 2 are not in order: B2"),
    ],
)
def test_rows_and_cells_that_would_get_lost_are_refused_with_their_place(
    tmp_path: Path, rows: list[bytes], said: str
) -> None:
    began = time.process_time()
    with pytest.raises(UnreadableFile) as caught:
        read(workbook(tmp_path, *rows))
    assert str(caught.value).startswith(f"{tmp_path / 'a.xlsx'}: sheet 'Sheet': {said}")
    assert time.process_time() - began < 30  # rows up to nine hundred millions would take an hour


@pytest.mark.parametrize("dimension", ["A1:B2", "A1:XFD1048576", "A1", "B9:B9"])
def test_what_a_sheet_says_of_its_size_changes_nothing(tmp_path: Path, dimension: str) -> None:
    path = workbook(tmp_path, row(2, 1), row(7, 2), b"<row><c/><c><v>3</v></c></row>", dimension=dimension)
    assert read(path) == [(2, [None, 1]), (7, [None, 2]), (8, [None, 3])]


def test_the_last_row_and_column_of_a_sheet_are_read(tmp_path: Path) -> None:
    lines = read(workbook(tmp_path, f'<row r="{MOST_ROWS}"><c r="XFD{MOST_ROWS}"><v>1</v></c></row>'.encode()))
    assert [(number, len(cells), cells[-1]) for number, cells in lines] == [(MOST_ROWS, 16_384, 1)]


@pytest.mark.parametrize(
    ("begin", "filler", "end"),
    [
        (b'<row r="2"><c r="A2" t="str"><v>', b"x" * (1 << 20), b"</v></c></row>"),
        (b'<row r="2">', b'<c t="str"><v>%s</v></c>' % (b"x" * 4096), b"</row>"),
        (b"", b'<spam x="%s"/>' % (b"x" * 4096), b""),
    ],
)
def test_a_row_that_is_packed_small_and_huge_is_refused_before_it_is_held(
    tmp_path: Path, begin: bytes, filler: bytes, end: bytes
) -> None:
    path = workbook(tmp_path, begin, *[filler] * (2 * MOST_AT_ONCE // len(filler)), end)
    assert path.stat().st_size < MOST_AT_ONCE // 50
    with pytest.raises(UnreadableFile, match=r"sheet 'Sheet': one row or text takes more than \d+ bytes"):
        read(path)


def test_a_part_that_is_read_whole_and_huge_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) if name != "xl/styles.xml" else b" " * (65 << 20))
    with pytest.raises(UnreadableFile, match=r"no workbook: its part xl/styles\.xml takes \d+ bytes"):
        read(tmp_path / "b.xlsx")


def test_rows_that_a_merged_cell_covers_whole_are_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for each in (["app_no", "cap"], ["A1", 1]):
        sheet.append(each)
    for columns in ("A2:A3", "B2:B3", "D2:D9"):
        sheet.merge_cells(columns)
    book.save(tmp_path / "a.xlsx")
    assert [number for number, _ in read(tmp_path / "a.xlsx")] == [2, 3]
    sheet.merge_cells("B1:C1")
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(UnreadableFile, match=r":1: column 3: covered by the merged cell B1:C1; unmerge it"):
        read(tmp_path / "a.xlsx")


def test_the_first_sheet_that_is_seen_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name, state in (("old", "hidden"), ("rows", "visible"), ("notes", "visible"), ("codes", "veryHidden")):
        sheet = book.create_sheet(name)
        sheet.append([f"{name}_no"])
        sheet.sheet_state = state
    book.remove(book.worksheets[0])
    book.active = 1
    book.create_chartsheet("chart", 0)
    path = tmp_path / "a.xlsx"
    book.save(path)
    with open_sheet(path) as opened:
        assert (opened.head, opened.unread) == (["rows_no"], ["notes"])
    with open_sheet(path, Form(sheet="old")) as opened:
        assert (opened.head, opened.unread) == (["old_no"], ["rows", "notes"])


def test_dates_are_counted_from_where_the_workbook_says(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for each in (["at"], [datetime(2026, 3, 2, 9, 5)]):
        book.worksheets[0].append(each)
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx") == [(2, [datetime(2026, 3, 2, 9, 5)])]


def test_how_much_is_read_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = workbook(tmp_path, *[row(number, number) for number in range(2, 5_000)])
    with open_sheet(path) as opened:
        told = [opened.done() for _ in opened.lines()]
    assert 0 < told[0] < path.stat().st_size // 2
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def cell_of(tmp_path: Path, xml: str) -> object:
    """Read the value of a row's second cell."""
    row_xml = f'<row r="2"><c r="A2" t="str"><v>K</v></c>{xml}</row>'
    return read(workbook(tmp_path, row_xml.encode()))[0][1][1]


@pytest.mark.parametrize("error", ["#REF!", "#SPILL!", "#CALC!", "#FIELD!", "#GETTING_DATA", "#SOMETHING_NEW!"])
def test_a_cell_that_is_marked_as_an_error_is_no_text(tmp_path: Path, error: str) -> None:
    assert cell_of(tmp_path, f'<c r="B2" t="e"><v>{error}</v></c>') == Spoilt(f"the formula gave {error}")


@pytest.mark.parametrize("kind", ["", 't="n"', 't="s"', 't="b"', 't="d"'])
@pytest.mark.parametrize("blanks", [" ", "\n   ", "\t", "&#160;"])
def test_a_cell_of_blanks_only_is_empty_and_its_row_is_read(tmp_path: Path, kind: str, blanks: str) -> None:
    assert cell_of(tmp_path, f'<c r="B2" {kind}><v>{blanks}</v></c><c r="C2"><v>7</v></c>') is None


def test_blanks_of_a_formula_are_its_text_or_no_value(tmp_path: Path) -> None:
    assert cell_of(tmp_path, '<c r="B2" t="str"><f>A1</f><v> </v></c>') == " "
    assert cell_of(tmp_path, '<c r="B2"><f>A1</f><v> </v></c>') == NOT_WORKED_OUT
    assert isinstance(cell_of(tmp_path, '<c r="B2" t="e"><v> </v></c>'), Spoilt)


@pytest.mark.parametrize(
    "form",
    ['<c r="B2" t="str"><v>{}</v></c>', '<c r="B2" t="inlineStr"><is><t>{}</t></is></c>'],
    ids=["formula", "inline"],
)
@pytest.mark.parametrize(
    ("written", "text"),
    [("a_x000D_\nb", "a\r\nb"), ("a_x005F_x000D_b", "a_x000D_b"), ("_x00_ _x0000_ _x0041_", "_x00_ _x0000_ _x0041_")],
)
def test_escapes_of_excel_are_undone(tmp_path: Path, form: str, written: str, text: str) -> None:
    assert cell_of(tmp_path, form.format(written)) == text


def test_escapes_in_the_table_of_texts_are_undone() -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    table = f'<sst xmlns="{space}"><si><t>a_x000D_\nb</t></si><si><t>a_x005F_x000D_b</t></si></sst>'
    strings = StringsOnDisk()
    strings.fill(Portioned(io.BytesIO(table.encode())))
    assert [strings[0], strings[1]] == ["a\r\nb", "a_x000D_b"]
    strings.close()


def test_an_error_in_the_head_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path, row(2, 1))
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[SHEET] = parts[SHEET].replace(b't="str"><v>cap<', b't="e"><v>#REF!<')
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)
    with pytest.raises(UnreadableFile, match="1: column 2: the formula gave #REF!"):
        read(path)
