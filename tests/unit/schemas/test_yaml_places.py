"""YAML with places: every fault with its line and column, and no surprise about what a scalar is."""

import pytest
from pydantic import BaseModel, ConfigDict

from schemas import DefinitionError, load_model, load_yaml


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int
    y: str


class File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: str
    items: list[Item] = []
    named: dict[str, Item] = {}
    either: int | list[int] = 0


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load_model(File, text, "f.yaml")
    return [str(fault) for fault in caught.value.faults]


def test_every_fault_has_its_own_place() -> None:
    assert faults(
        "version: v\nitems:\n  - {x: 1, y: a}\n  - x: no\n    z: 3\nnamed:\n  k: {x: 1.5, y: 2}\nmore: 1\n"
    ) == [
        "f.yaml:4:5: field 'y' is missing",
        "f.yaml:4:8: x: Input should be a valid integer, unable to parse string as an integer",
        "f.yaml:5:5: unknown field 'z'",
        "f.yaml:7:10: x: Input should be a valid integer, got a number with a fractional part",
        "f.yaml:7:18: y: Input should be a valid string",
        "f.yaml:8:1: unknown field 'more'",
    ]


def test_a_union_points_at_the_value() -> None:
    assert all(fault.startswith("f.yaml:2:9: ") for fault in faults("version: v\neither: x\n"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("version: [\n a", "f.yaml:3:1: not YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("\tversion: v", "f.yaml:1:1: not YAML"),
        ("version: v\nversion: w", "f.yaml:2:1: duplicate key 'version'"),
        ("version: v\n---\nversion: w", "f.yaml:2:1: not YAML: expected a single document"),
        ("version: &a [*a]", "f.yaml:1:10: an alias contains itself"),
        ("version: *a", "f.yaml:1:10: not YAML: found undefined alias"),
        ("version: !!python/object/apply:os.system [x]", "f.yaml:1:10: tag 'tag:yaml.org,2002:python/object/apply"),
        ("version: !!int x", "f.yaml:1:10: 'x' does not fit its tag"),
        ("? [1]\n: 2", "f.yaml:1:3: a key must be text or a whole number"),
        ("~: 2", "f.yaml:1:1: a key must be text or a whole number"),
        ("version: \x01", "f.yaml:1:10: not YAML: character #x0001 is not allowed"),
        (b"version: v\nx: \xff", "f.yaml:2:1: not UTF-8"),
        ("[" * 5000, "f.yaml:1:61: nested too deep"),
        ("- " * 200_000, "f.yaml:1:121: nested too deep"),
        ("[" * 100 + "]" * 100, "f.yaml:1:61: nested too deep"),
        ("", "f.yaml:1:1: "),
        ("- 1", "f.yaml:1:1: "),
        ("version: a: b", "f.yaml:1:11: not YAML: mapping values are not allowed in this context"),
    ],
)
def test_what_cannot_be_read_is_a_fault_with_a_place(text: str | bytes, fault: str) -> None:
    assert faults(text)[0].startswith(fault)


def test_several_faults_of_the_yaml_itself_are_all_reported() -> None:
    assert [fault.split(": ")[0] for fault in faults("a: 1\na: 2\nb: !x 1\nb: 3\n")] == [
        "f.yaml:2:1", "f.yaml:3:4", "f.yaml:4:1",
    ]  # fmt: skip


def test_multiplying_aliases_end() -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than a hundred thousand" in faults("\n".join(lines))[0]


def test_plain_aliases_and_anchors_work() -> None:
    data, places = load_yaml("a: &x {n: 1}\nb: *x\n", "f.yaml")
    assert data == {"a": {"n": 1}, "b": {"n": 1}}
    assert places.at(("b",), key=True) == (2, 1)


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = (
        "a: 0571\nb: 12:30\nc: 2026-03-02\nd: no\ne: 0.80\nf: ~\ng:\nh: 15m\ni: true\nj: -3\nk: =\nl: '1'\nm: 1_000\n"
    )
    assert load_yaml(text, "f")[0] == {
        "a": "0571", "b": "12:30", "c": "2026-03-02", "d": "no", "e": 0.8, "f": None, "g": None, "h": "15m", "i": True,
        "j": -3, "k": "=", "l": "1", "m": "1_000",
    }  # fmt: skip


def test_byte_order_mark_and_empty_file() -> None:
    assert load_yaml(b"\xef\xbb\xbfa: 1", "f")[0] == {"a": 1}
    assert load_yaml("# nothing\n", "f")[0] is None


def test_place_of_what_is_not_there_is_that_of_its_parent() -> None:
    _, places = load_yaml("a:\n  b: [1, 2]\n", "f")
    assert places.at(("a", "b", 1)) == (2, 10)
    assert places.at(("a", "b", 9)) == (2, 6)
    assert places.at(("a", "x", "y")) == (2, 3)
    assert places.at(()) == (1, 1)
    assert str(places.fault(("a", "b"), "wrong", key=True)) == "f:2:3: wrong"
