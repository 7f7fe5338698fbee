"""The client of a schema registry, against a small stand-in with the documented REST, which also fails when told to.

The answers are those of Confluent's "Schema Registry API Reference", `GET /schemas/ids/{id}`. A real one, Apicurio's
from Maven Central, is asked in `tests/e2e/test_avro_registry.py`.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest

from connectors import SchemaRegistry
from connectors.schema_registry import UNKNOWN_FOR_S
from schemas import BadInput, Decoder, TryLater
from tests.helpers.decoding import AT
from tests.helpers.dialect_wire import ROW, SHELF, WRITERS

SCHEMA = '{"type":"string"}'


class StandIn(BaseHTTPRequestHandler):
    """Answers as a registry does; what it answers is set by the test."""

    answers: ClassVar[dict[str, tuple[int, Any]]] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        status, body = self.answers.get(self.path, (404, {"error_code": 40403, "message": "Schema not found"}))
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def place() -> Iterator[str]:
    """Give host:port of a stand-in with one schema, 7."""
    StandIn.answers = {"/schemas/ids/7": (200, {"schema": SCHEMA})}
    StandIn.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_schema_is_asked_for_once_and_kept(place: str) -> None:
    registry = SchemaRegistry(f"http://{place}/")
    assert [registry.schema_of(7), registry.schema_of(7)] == [SCHEMA, SCHEMA]
    assert StandIn.asked == [("/schemas/ids/7", None)]


def test_an_unknown_id_is_bad_input_and_asked_for_again_after_a_while(place: str) -> None:
    now = [100.0]
    registry = SchemaRegistry(f"http://{place}", clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(BadInput, match="unknown-schema"):
            registry.schema_of(8)
    assert len(StandIn.asked) == 1
    StandIn.answers["/schemas/ids/8"] = (200, {"schema": SCHEMA})
    now[0] += UNKNOWN_FOR_S
    assert registry.schema_of(8) == SCHEMA


@pytest.mark.parametrize(
    "answer",
    [(500, {"error_code": 50001, "message": "x"}), (503, b""), (401, b"no"), (404, b"<html>"),
     (404, {"detail": "no such page"}), (200, b"<html>"), (302, b"")],
)  # fmt: skip
def test_whatever_else_it_answers_is_tried_later(place: str, answer: tuple[int, Any]) -> None:
    StandIn.answers["/schemas/ids/7"] = answer
    registry = SchemaRegistry(f"http://{place}")
    with pytest.raises(TryLater):
        registry.schema_of(7)
    StandIn.answers["/schemas/ids/7"] = (200, {"schema": SCHEMA})
    assert registry.schema_of(7) == SCHEMA


def test_no_answer_at_all_is_tried_later() -> None:
    with pytest.raises(TryLater, match="does not answer"):
        SchemaRegistry("http://127.0.0.1:1").schema_of(7)


def test_user_and_password_go_into_the_request_and_into_no_message(place: str) -> None:
    SchemaRegistry(f"http://us%40er:geh%2Feim@{place}").schema_of(7)
    assert StandIn.asked == [("/schemas/ids/7", "Basic " + b64encode(b"us@er:geh/eim").decode())]
    StandIn.answers["/schemas/ids/9"] = (500, b"")
    with pytest.raises(TryLater) as caught:
        SchemaRegistry(f"http://user:geheim@{place}").schema_of(9)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [{"schema": "{}", "schemaType": "PROTOBUF"}, {"schema": "{}", "references": [{"name": "x"}]}]
)
def test_what_is_not_a_whole_avro_schema_is_bad_input(place: str, body: Any) -> None:
    StandIn.answers["/schemas/ids/7"] = (200, body)
    with pytest.raises(BadInput, match="unknown-schema"):
        SchemaRegistry(f"http://{place}").schema_of(7)


@pytest.mark.parametrize("body", [[], {}, {"schema": 5}, "x"])
def test_an_answer_without_a_schema_is_tried_later(place: str, body: Any) -> None:
    StandIn.answers["/schemas/ids/7"] = (200, body)
    with pytest.raises(TryLater):
        SchemaRegistry(f"http://{place}").schema_of(7)


def test_records_are_decoded_with_the_schemas_of_the_registry(place: str) -> None:
    (writer,) = [writer for writer in WRITERS if writer.name == "debezium-avro"]
    ((_, value),) = writer.records("c", ROW)
    number = int.from_bytes((value or b"")[1:5], "big")
    StandIn.answers = {f"/schemas/ids/{number}": (200, {"schema": SHELF.schema_of(number)})}
    decoder = Decoder(writer.mapping, schema_of=SchemaRegistry(f"http://{place}").schema_of)
    (change,) = decoder.decode_all(key=None, value=value, timestamp=AT, topic="t", partition=0, offset=1)
    assert change.row == "1"
