"""The pull source against a real HTTP server, and a landing that notes what it is given and can fail."""

import base64
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from connectors.web import BadAnswer, Pulled, load_pulls, wait_after
from connectors.web.endpoint import MOST_ANSWER
from rules.engine.fusion import new_row
from schemas import BadInput, Decoder, DefinitionError, TryLater, read_origin, supersedes
from schemas.ingested import INGEST_HEADER
from tests.helpers.decoding import catalog, mapping
from tests.helpers.pulling import DEFINITION, TOPIC, Noted, run, serving


def items(*numbers: int, **more: Any) -> web.Response:
    rows = [{"appNo": f"A{n}", "org": "1", "updated": f"2026-03-{n:02d}T00:00:00Z", "other": [1]} for n in numbers]
    return web.json_response({"data": {"items": rows, **more}})


def test_only_what_is_newer_is_asked_for_the_next_time(tmp_path: Path) -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.query["since"])
        return items(2, 5, 3) if len(asked) == 1 else items()

    landing = Noted()
    with serving(answer) as url:
        assert run(tmp_path, url, landing) == Pulled(pages=1, rows=3, bad=0)
        assert run(tmp_path, url, landing) == Pulled()
    assert asked == ["2026-01-01T00:00:00Z", "2026-03-05T00:00:00Z"]
    assert landing.rows() == ["A2", "A5", "A3"]


def test_a_row_stands_at_the_time_that_the_service_gives_it(tmp_path: Path) -> None:
    landing = Noted()
    with serving(lambda _request: items(2)) as url:
        run(tmp_path, url, landing)
        run(tmp_path, url, landing)
    origins = [read_origin(value) for _, value, _ in landing.records]
    assert [origin.src_ts for origin in origins if origin] == [1_772_409_600_000] * 2  # 2026-03-02T00:00Z: a repeat
    first, second = landing.records
    assert first == second


def test_of_two_versions_of_a_row_in_the_same_second_the_later_page_holds(tmp_path: Path) -> None:
    def answer(request: web.Request) -> web.Response:
        page = int(request.query["page"])
        rows = [{"appNo": "A1", "org": str(page), "updated": "2026-03-02T00:00:00Z"}] if page < 3 else []
        return web.json_response({"data": {"items": rows}})

    landing = Noted()
    with serving(answer) as url:
        run(tmp_path, url, landing, DEFINITION + "paging: {{kind: page, param: page}}\n")
    first, second = landing.changes()
    assert supersedes(second, new_row(first), is_later=True)
    assert not supersedes(first, new_row(second), is_later=False)


def test_the_cursor_stays_where_kafka_did_not_take_the_rows(tmp_path: Path) -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.query["since"])
        return items(2)

    with serving(answer) as url:
        with pytest.raises(TryLater):
            run(tmp_path, url, Noted(fails_at=[1]))
        run(tmp_path, url, Noted())
    assert asked == ["2026-01-01T00:00:00Z"] * 2


PAGING: dict[str, tuple[str, Callable[[Any], int]]] = {
    "page": ("{kind: page, param: page}", lambda q: int(q.get("page", 0))),
    "offset": ("{kind: offset, param: skip}", lambda q: int(q.get("skip", 0)) // 2 + 1),
    "token": ("{kind: token, param: after, next: data.next}", lambda q: int(q.get("after", 1))),
    "link": ("{kind: link, next: data.next}", lambda q: int(q.get("p", 1))),
}


@pytest.mark.parametrize("kind", PAGING)
def test_all_pages_are_read(tmp_path: Path, kind: str) -> None:
    text, page_of = PAGING[kind]

    def answer(request: web.Request) -> web.Response:
        page = page_of(request.query)
        if page > 2:
            return items()
        following = {"link": f"/apps?p={page + 1}", "token": str(page + 1)}.get(kind)
        return items(2 * page, 2 * page + 1, next=following if page < 2 else None)

    landing = Noted()
    with serving(answer) as url:
        pulled = run(tmp_path, url, landing, DEFINITION + f"paging: {text.replace('{', '{{').replace('}', '}}')}\n")
    assert (pulled.rows, landing.rows()) == (4, ["A2", "A3", "A4", "A5"])


@pytest.mark.parametrize(
    ("is_sorted", "next_since"), [("true", "2026-03-03T00:00:00Z"), ("false", "2026-01-01T00:00:00Z")]
)
def test_after_a_crash_between_pages_nothing_is_left_out(tmp_path: Path, is_sorted: str, next_since: str) -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        page = int(request.query["page"])
        asked.append((request.query["since"], page))
        return items(2 * page, 2 * page + 1) if page <= 2 else items()

    definition = (
        DEFINITION.replace("start:", f"is_sorted: {is_sorted}, start:") + "paging: {{kind: page, param: page}}\n"
    )
    with serving(answer) as url:
        with pytest.raises(TryLater):
            run(tmp_path, url, Noted(fails_at=[2]), definition)
        asked.clear()
        run(tmp_path, url, Noted(), definition)
    assert asked[0] == (next_since, 1)


def test_a_bad_row_goes_to_the_worker_that_makes_it_a_dead_letter(tmp_path: Path) -> None:
    rows = [
        {"appNo": "A1", "accepted_at": "morgen", "updated": "2026-03-02"},
        7,
        {"appNo": "A2", "updated": "2026-03-03"},
    ]
    landing, bad = Noted(), list[tuple[int, Any]]()
    with serving(lambda _request: web.json_response({"data": {"items": rows}})) as url:
        assert run(tmp_path, url, landing, bad=bad) == Pulled(pages=1, rows=3, bad=2)
    assert bad == [(0, ["accepted_at"]), (1, [""])]
    decoder, found = Decoder(mapping(TOPIC)), []
    for key, value, headers in landing.records:
        try:
            decoder.decode(key=key, value=value, headers=headers, timestamp=0, topic=TOPIC, partition=0, offset=0)
            found.append("taken")
        except BadInput as error:
            found.append(error.reason)
    assert found == ["unreadable-date", "missing-key", "taken"]


def test_secrets_come_by_reference_and_are_in_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPS_TOKEN", "streng-geheim")
    seen = []

    def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=403)

    with serving(answer) as url, pytest.raises(BadAnswer) as caught:
        run(tmp_path, url, Noted(), DEFINITION + "auth: {{bearer: env:APPS_TOKEN}}\n")
    assert seen == ["Bearer streng-geheim"]
    assert "streng-geheim" not in str(caught.value)
    with pytest.raises(DefinitionError, match="not the secret itself"):
        run(tmp_path, "http://x", Noted(), DEFINITION + "auth: {{bearer: streng-geheim}}\n")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (web.HTTPServiceUnavailable, TryLater), (web.HTTPTooManyRequests, TryLater), (web.HTTPNotFound, BadAnswer),
        (lambda: web.Response(text="<html>"), BadAnswer), (lambda: web.json_response({"data": 1}), BadAnswer),
        (lambda: web.Response(status=302, headers={"Location": "/other"}), BadAnswer),
    ],
)  # fmt: skip
def test_what_may_mend_itself_is_tried_again_and_the_rest_is_told(tmp_path: Path, answer: Any, error: Any) -> None:
    def give(_request: web.Request) -> web.Response:
        made: web.Response = answer()
        return made if not isinstance(made, web.HTTPException) else web.Response(
            status=made.status, headers={"Retry-After": "17"}
        )  # fmt: skip

    with serving(give) as url, pytest.raises(error) as caught:
        run(tmp_path, url, Noted())
    if isinstance(caught.value, TryLater):
        assert caught.value.delay_s == 17


def test_nobody_there_is_tried_again(tmp_path: Path) -> None:
    with serving(lambda _request: items()) as url:
        gone = url
    with pytest.raises(TryLater, match="apps: ConnectionError"):
        run(tmp_path, gone, Noted())


def test_waits_double_up_to_five_minutes_and_never_undercut_the_service() -> None:
    assert [wait_after(tries, 0) for tries in (0, 1, 4, 40)] == [1, 2, 16, 300]
    assert wait_after(1, 30) == 30


def test_every_fault_of_a_definition_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DEFINITION.format(url="ftp://x").replace("mkt.mkt_app", "mkt.nothing"), "utf-8")
    (tmp_path / "b.yaml").write_text("version: pull/v1\nname: b\ntable: mkt.nothing\nurl: http://x/y\n", "utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_pulls(tmp_path, catalog().mappings)
    messages = [str(fault) for fault in caught.value.faults]
    assert any("a.yaml:5:" in message and "expected http(s)" in message for message in messages)
    assert any("b.yaml:3:" in message and "no table 'mkt.nothing'" in message for message in messages)


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ("{{bearer: env:PULL_SECRET}}", "Bearer declared"),
        ("{{user: u, password: env:PULL_SECRET}}", "Basic dTpkZWNsYXJlZA=="),
        ("{{header: X-Key, value: env:PULL_SECRET}}", None),
    ],
)  # fmt: skip
def test_what_the_definition_declares_is_sent_and_not_what_a_netrc_has_for_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, sent: str | None
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password stolen\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PULL_SECRET", "declared")
    told: list[str | None] = []

    def answer(request: web.Request) -> web.Response:
        told.append(request.headers.get("Authorization"))
        return items(2)

    with serving(answer) as url:
        run(tmp_path, url, Noted(), DEFINITION + f"auth: {auth}\n")
    assert told == [sent]


def test_a_proxy_of_the_environment_is_gone_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def proxy(request: web.Request) -> web.Response:
        asked.append(request.host)
        return items(2)

    with serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "")
        assert run(tmp_path, "http://behind.example", Noted()).rows == 1
    assert asked == ["behind.example"]


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        ("{{bearer: env:PULL_SECRET}}", "Bearer 口令"), ("{{header: Authorization, value: env:PULL_SECRET}}", "口令"),
        ("{{user: 用户, password: env:PULL_SECRET}}", "Basic " + base64.b64encode("用户:口令".encode()).decode()),
    ],
)  # fmt: skip
def test_a_secret_beyond_latin_1_is_sent_in_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: str, sent: str
) -> None:
    told: list[str] = []

    def answer(request: web.Request) -> web.Response:
        told.append(request.headers["Authorization"])
        return items()

    monkeypatch.setenv("PULL_SECRET", "口令")
    with serving(answer) as url:
        run(tmp_path, url, Noted(), DEFINITION + f"auth: {auth}\n")
    assert told == [sent]


def test_a_row_larger_than_a_record_is_a_dead_letter_and_holds_nothing_up(tmp_path: Path) -> None:
    rows = [{"appNo": f"A{n}", "org": "1" * size, "updated": f"2026-03-0{n}T00:00:00Z", "note": "x" * size}
            for n, size in ((1, 1), (2, 1_100_000), (3, 1))]  # fmt: skip
    landing, bad = Noted(), list[tuple[int, Any]]()
    with serving(lambda _request: web.json_response({"data": {"items": rows}})) as url:
        assert run(tmp_path, url, landing, bad=bad) == Pulled(pages=1, rows=3, bad=1)
    assert bad == [(1, [""])]
    assert [len(value) < 10_000 for _, value, _ in landing.records] == [True] * 3
    (refused,) = (value for key, value, _ in landing.records if not key)
    assert b"takes 1100" in refused
    with pytest.raises(BadInput):
        Decoder(mapping(TOPIC)).decode(
            key=b"", value=refused, headers=[(INGEST_HEADER, b"pull")], timestamp=0, topic=TOPIC, partition=0, offset=0
        )


def test_an_answer_larger_than_any_page_is_not_read_to_its_end(tmp_path: Path) -> None:
    packer, mega = zlib.compressobj(1, wbits=31), b" " * (1 << 20)
    packed = b"".join(packer.compress(mega) for _ in range(MOST_ANSWER // len(mega) + 1)) + packer.flush()

    def answer(_request: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")

    with serving(answer) as url, pytest.raises(BadAnswer, match="more than 134217728 bytes; ask for it in pages"):
        run(tmp_path, url, Noted())
