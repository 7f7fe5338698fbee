"""Decoding never breaks, at length: `python -m tests.property.fuzz_dialects --cases 1000000 --seed 1`.

For each case one dialect's record is taken (of the contract's writers, the golden records, the hostile payloads) and
spoilt: bytes, tokens, JSON values, the Avro schema, or all of it replaced by noise. Decoding gives changes that survive
our own encoding, or raises `BadInput` with a known reason. Whatever else comes out ends the run, with the case to
repeat it by. A smaller share runs in the fast suite (`test_dialects_never_break.py`).
"""

import argparse
import base64
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from schemas import REASONS, BadInput, Decoder, TableMapping, decode_change, encode_change
from schemas.debezium import MOST_ORDER
from schemas.dialects.limits import PARSER_ERRORS
from schemas.ingested import BY_LOG
from stagewatch.progress import progress_bar
from tests.helpers.decoding import AT
from tests.helpers.dialect_wire import ROW, SHELF, WRITERS
from tests.helpers.hostile_wire import HOSTILE

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "documented.jsonl"
LARGEST_SEED = 5_000
"""Bytes: what is larger is fuzzed slowly and tells the same."""
TOKENS = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\ud800", b"null", b"true", b"1e9", b"1e999", b"-", b"NaN",
    b"\xff", b"\0", b"\xed\xa0\x80", b"|", b"\n", b"\x01", b"0000-00-00", b"9" * 40, b'"op_type":"D"',
    b'"type":"UPDATE"', b'{"scale":2,"value":"MDk="}',
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1 << 62, 1 << 64, 1.5, 1e300, "", "x", "\0mark", "\ud800", "NaN", "infinity",
    "9999-12-31", "0001-01-01", "2026-02-30", "20120814151900", "00000000-10000001391", "1" * 30, "MDk=", [], {},
    [None], [{}], {"a": 1}, {"scale": 2, "value": "MDk="}, {"scale": 10**9, "value": ""}, "u", "D", "UPDATE", "insert",
    "__debezium_unavailable_value", [[]] * 3,
]  # fmt: skip


class Target:
    """One dialect's decoder, its good records, and the schemas that it may be given."""

    def __init__(self, name: str, mapping: TableMapping, values: list[bytes]) -> None:
        self.name, self.values = name, values
        self.spoil_schema: Callable[[str], str] = str
        self.decoder = Decoder(mapping, schema_of=self._schema_of)
        self._mapping = mapping

    def _schema_of(self, number: int) -> str:
        return self.spoil_schema(SHELF.schema_of(number))

    def decode(self, key: bytes | None, value: bytes | None) -> str:
        """Give how a record came out: `change`, `nothing`, or the reason of its refusal."""
        try:
            changes = self.decoder.decode_all(key=key, value=value, timestamp=AT, topic="t", partition=0, offset=9)
        except BadInput as error:
            if error.reason not in REASONS:
                raise AssertionError(f"unknown reason {error.reason}") from error
            return error.reason
        for number, change in enumerate(changes):
            if decode_change(encode_change(change)) != change or not change.row or change.part != number:
                raise AssertionError(f"not itself any more: {change}")
            if change.op != "d" and not change.instance:
                raise AssertionError(f"of no instance: {change}")
            if not (BY_LOG <= change.position < 1 << 63 and 0 <= change.order <= MOST_ORDER):
                raise AssertionError(f"no position: {change}")
        return "change" if changes else "nothing"

    def forget(self) -> None:
        """Begin with a new decoder: schemas are asked for again, nothing is learnt."""
        self.decoder = Decoder(self._mapping, schema_of=self._schema_of)


def targets() -> list[Target]:
    """Give every dialect with its good records, the same in every run."""
    golden: dict[str, list[bytes]] = {}
    for line in GOLDEN.read_bytes().splitlines():
        sample = json.loads(line)
        value = base64.b64decode(sample["value_b64"]) if "value_b64" in sample else json.dumps(sample["value"]).encode()
        golden.setdefault(sample["dialect"], []).append(value)
    hostile = [record.value for record in HOSTILE if record.value and len(record.value) <= LARGEST_SEED]
    found = []
    for writer in WRITERS:
        moved, left = {**ROW, "id": 2, "stage": None}, {**ROW, "app": "A2"}
        told = [
            ("c", ROW, None),
            ("u", {**ROW, "stage": "SCHEME"}, ROW),
            ("d", None, ROW),
            ("u", moved, ROW),
            ("u", left, ROW),
        ]
        values = [v for op, row, before in told for _, v in writer.records(op, row, before) if v]
        values += golden.get(writer.mapping.dialect, [])
        spoilt_already = hostile if writer.name == "debezium-json" else hostile[:5]
        found.append(Target(writer.name, writer.mapping, values * 5 + spoilt_already))
    return found


def spoilt(random: Random, value: bytes, others: list[bytes]) -> bytes:
    """Give a record with something wrong in it; sometimes it is still right."""
    kind = random.randrange(10)
    if kind == 0:
        return random.randbytes(random.randrange(80))
    if kind == 1:
        return value
    if kind == 2:
        other = random.choice(others)
        return value[: random.randrange(len(value) + 1)] + other[random.randrange(len(other) + 1) :]
    if kind >= 7 and (whole := _odd_json(random, value)) is not None:
        return whole
    raw = bytearray(value)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(raw) + 1)
        raw[at : at + random.randrange(4)] = (
            random.choice(TOKENS) if random.random() < 0.6 else random.randbytes(random.randrange(4))
        )
    return bytes(raw)


def _odd_json(random: Random, value: bytes) -> bytes | None:
    """Give the record with one or two of its JSON values replaced, left out or doubled; None if it is no JSON."""
    try:
        record = json.loads(value)
    except PARSER_ERRORS:
        return None
    for _ in range(random.randint(1, 2)):
        places = list(_places(record))
        if not places:
            break
        inside, name = random.choice(places)
        if random.random() < 0.3 and isinstance(inside, dict):
            inside[str(name).swapcase()] = inside.pop(name) if random.random() < 0.5 else inside[name]
        elif random.random() < 0.2:
            del inside[name]
        else:
            inside[name] = deepcopy(random.choice(ODD))  # it may be spoilt in turn
    return json.dumps(record).encode()


def _places(record: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [record]
    while waiting:
        part = waiting.pop()
        pairs = (
            list(part.items()) if isinstance(part, dict) else list(enumerate(part)) if isinstance(part, list) else []
        )
        for name, value in pairs:
            yield part, name
            waiting.append(value)


def run(cases: int, seed: int, advance: Callable[[int], None] = lambda _done: None) -> dict[str, Counter[str]]:
    """Decode that many spoilt records; give how they came out, by dialect.

    Raises `AssertionError` at the first fault, with the case.
    """
    random = Random(seed)
    found = targets()
    keys = [None, b"", b"1", b'{"id":1}', b'["x","t",[{"id":7}]]', b"\xff", b"a_b", b"\0\0\0\0\1\2", b"[" * 99]
    counts: dict[str, Counter[str]] = {target.name: Counter() for target in found}
    for case in range(cases):
        target = found[case % len(found)]
        if case % 5_000 < len(found):
            target.forget()
            is_spoilt = random.random() < 0.5
            target.spoil_schema = (
                (lambda text: spoilt(random, text.encode(), [b"{}"]).decode("utf-8", "replace")) if is_spoilt else str
            )
        value = spoilt(random, random.choice(target.values), target.values)
        key = random.choice(keys)
        try:
            counts[target.name][target.decode(key, value)] += 1
        except Exception as error:
            shown = base64.b64encode(value).decode()
            raise AssertionError(
                f"seed {seed}, case {case}, {target.name}, key {key!r}, value {shown}: {error!r}"
            ) from error
        if case % 1_000 == 0:
            advance(case)
    return counts


def main(arguments: list[str]) -> int:
    """Run from the command line; 0 if nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.fuzz_dialects", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    out, err = Console(soft_wrap=True, highlight=False), Console(stderr=True, soft_wrap=True)
    with progress_bar(err, "fuzzing dialects", chosen.cases) as progress:
        try:
            counts = run(chosen.cases, chosen.seed, progress)
        except AssertionError as fault:
            err.print(str(fault), markup=False)
            return 1
    for name, reasons in counts.items():
        out.print(f"{name}: " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()))
    out.print(f"{chosen.cases} cases, seed {chosen.seed}: changes or our own refusal, nothing else")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
