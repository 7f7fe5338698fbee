"""Which carrier a number belongs to."""

import pytest

from sinks import SinkSettingError
from sinks.carriers import PORTED_S, Carrier, CarrierBook, directory_of, prefixes_of
from sinks.registry import _PREFIXES

PREFIXES = prefixes_of(_PREFIXES.read_text("utf-8"), _PREFIXES.name)
NOW = 1_772_413_200.0


@pytest.mark.parametrize(
    ("mobile", "carrier"),
    [
        ("13800000001", "mobile"), ("13480000001", "mobile"), ("13490000001", "telecom"), ("14700000001", "mobile"),
        ("14500000001", "unicom"), ("14900000001", "telecom"), ("16500000001", "mobile"), ("16600000001", "unicom"),
        ("16200000001", "telecom"), ("17000000001", "telecom"), ("17050000001", "mobile"), ("17090000001", "unicom"),
        ("19100000001", "telecom"), ("19200000001", "broadnet"), ("19500000001", "mobile"), ("19600000001", "unicom"),
    ],
)  # fmt: skip
def test_a_number_belongs_to_the_carrier_of_its_prefix(mobile: str, carrier: str) -> None:
    assert CarrierBook(PREFIXES).choices(mobile, NOW) == [Carrier(carrier)]


@pytest.mark.parametrize("number", ["6613", "05718765", "19400000001", ""])
def test_a_number_of_no_prefix_belongs_to_nobody(number: str) -> None:
    assert CarrierBook(PREFIXES).choices(number, NOW) == []


def test_the_directory_is_believed_before_a_refusal_and_a_refusal_before_the_prefix() -> None:
    book = CarrierBook(PREFIXES, {"13800000001": Carrier.UNICOM})
    for mobile in ("13800000001", "13900000001"):
        book.learn(mobile, Carrier.TELECOM, NOW)
    assert book.choices("13800000001", NOW) == [Carrier.UNICOM, Carrier.TELECOM, Carrier.MOBILE]
    assert book.choices("13900000001", NOW) == [Carrier.TELECOM, Carrier.MOBILE]


def test_what_a_refusal_taught_is_forgotten_after_its_time() -> None:
    book = CarrierBook(PREFIXES)
    book.learn("13900000001", Carrier.TELECOM, NOW)
    assert book.choices("13900000001", NOW + PORTED_S - 1)[0] is Carrier.TELECOM
    assert book.choices("13900000001", NOW + PORTED_S) == [Carrier.MOBILE]


def test_a_directory_is_read_in_any_form_of_number() -> None:
    text = "\ufeffname,mobile,carrier\n王五,+86 138-0013-8001,telecom\n"
    assert directory_of(text) == {"13800138001": Carrier.TELECOM}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("mobile\n", "columns"), ("mobile,carrier\nx,unicom\n", "line 2"),
        ("mobile,carrier\n13800138001,unicom\n13800138002,UNICOM\n", "line 3"),
        ("mobile,carrier\n13800138001\n", "line 2"),
    ],
)  # fmt: skip
def test_a_wrong_directory_is_a_fault_with_its_line_and_without_the_number(text: str, fault: str) -> None:
    with pytest.raises(SinkSettingError, match=fault) as caught:
        directory_of(text)
    assert "13800138" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "version: number-prefixes/v1\nprefixes: {moble: ['138']}", "prefixes: 1", "{"])
def test_a_wrong_table_of_prefixes_is_a_fault(text: str) -> None:
    with pytest.raises(SinkSettingError, match="not a table"):
        prefixes_of(text, "p.yaml")
