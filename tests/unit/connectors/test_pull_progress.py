"""How far a pull source reads: cursors that count, dates that cannot be, pages behind empty ones, links elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from connectors.web import BadAnswer, Pulled
from rules.engine.fusion import new_row
from schemas import BadInput, Change, Decoder, supersedes
from tests.helpers.decoding import mapping
from tests.helpers.pulling import DEFINITION, TOPIC, Noted, run, serving


def counted(start: str = "0", field: str = "seq") -> str:
    """The definition with a cursor that begins elsewhere."""
    return DEFINITION.replace("field: updated", f"field: {field}").replace("2026-01-01T00:00:00Z", start)


def answering(rows: list[dict[str, Any]], asked: list[str]) -> Callable[[web.Request], web.Response]:
    """Give all rows at every question, and note what it was."""

    def answer(request: web.Request) -> web.Response:
        asked.append(request.query["since"])
        return web.json_response({"data": {"items": rows}})

    return answer


def is_newer(change: Change, known: Change, *, is_later: bool) -> bool:
    return supersedes(change, new_row(known), is_later=is_later)


def test_a_cursor_that_counts_is_no_time(tmp_path: Path) -> None:
    rows, asked, landing = [{"appNo": "A1", "org": str(n), "seq": n} for n in (9, 10)], list[str](), Noted()
    with serving(answering(rows, asked)) as url:
        assert run(tmp_path, url, landing, counted()) == Pulled(pages=1, rows=2, bad=0)
        run(tmp_path, url, landing, counted())
    assert asked == ["0", "10"]
    first, second = landing.changes()[:2]
    assert is_newer(second, first, is_later=True)
    assert not is_newer(first, second, is_later=False)


@pytest.mark.parametrize("value", ["z", "9999-12-31T00:00:00Z", "1e3", True, [1]])
def test_what_is_no_number_does_not_move_a_cursor_that_counts(tmp_path: Path, value: Any) -> None:
    rows, asked, bad = [{"appNo": "A1", "seq": value}, {"appNo": "A2", "seq": 3}], list[str](), list[tuple[int, Any]]()
    landing = Noted()
    with serving(answering(rows, asked)) as url:
        assert run(tmp_path, url, landing, counted(), bad=bad).bad == 1
        run(tmp_path, url, landing, counted())
    assert bad == [(0, ["seq"])]
    assert asked == ["0", "3"]


@pytest.mark.parametrize("src_ts", ["", "src_ts: seen\n"])
@pytest.mark.parametrize("updated", ["9999-12-31T00:00:00Z", "soon"])
def test_a_date_that_cannot_be_does_not_move_the_cursor(tmp_path: Path, updated: str, src_ts: str) -> None:
    rows = [{"appNo": "A1", "updated": "2026-03-02T01:00:00Z"}, {"appNo": "AX", "updated": updated}]
    rows = [{**row, "seen": "2026-03-02"} for row in rows]
    asked = list[str]()
    with serving(answering(rows, asked)) as url:
        run(tmp_path, url, Noted(), DEFINITION + src_ts)
        rows.append({"appNo": "A2", "updated": "2026-03-03T01:00:00Z"})
        run(tmp_path, url, Noted(), DEFINITION + src_ts)
        run(tmp_path, url, Noted(), DEFINITION + src_ts)
    assert asked == ["2026-01-01T00:00:00Z", "2026-03-02T01:00:00Z", "2026-03-03T01:00:00Z"]


def test_a_bad_row_that_comes_again_is_told_once(tmp_path: Path) -> None:
    rows = [{"appNo": "AX", "updated": "9999-12-31T00:00:00Z"}]
    landing, bad = Noted(), list[tuple[int, Any]]()
    with serving(answering(rows, [])) as url:
        assert [run(tmp_path, url, landing, bad=bad).bad for _ in range(3)] == [1, 1, 1]
        assert (len(landing.records), len(bad)) == (1, 1)
        rows[0] = {"appNo": "AX", "updated": "9999-12-31T00:00:00Z", "org": "2"}
        run(tmp_path, url, landing, bad=bad)
        assert (len(landing.records), len(bad)) == (2, 2), "another row, and as bad"


def test_a_time_of_the_answer_makes_a_bad_row_no_other_one(tmp_path: Path) -> None:
    landing, served = Noted(), iter(range(10))

    def answer(_request: web.Request) -> web.Response:
        at = f"2026-03-02T00:00:0{next(served)}Z"
        row = {"appNo": "AX", "source_count": "zwei", "accepted_at": at, "updated": at, "served_at": at}
        return web.json_response({"data": {"items": [row]}})

    with serving(answer) as url:
        assert [run(tmp_path, url, landing).bad for _ in range(3)] == [1, 1, 1]
    assert len(landing.records) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"appNo": "AX", "updated": "9999-12-31T00:00:00Z"}, {"appNo": "AX", "app_no": "AY"},
        {"appNo": "AX", "_op": "upsert"}, {"appNo": "AX\ud800"}, {"appNo": "AX", "cust_name": "\udc00"},
        {"appNo": "AX", "org": {"a": ["\ud800"]}},
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_one_dead_letter_and_the_rest_is_read(tmp_path: Path, row: dict[str, Any]) -> None:
    rows, landing = [{"appNo": "A1", "\ud800": "\ud800"}, row, {"appNo": "A2"}], Noted()
    body = json.dumps({"data": {"items": rows}})
    with serving(lambda _request: web.Response(text=body, content_type="application/json")) as url:
        assert [run(tmp_path, url, landing) for _ in range(2)] == [Pulled(pages=1, rows=3, bad=1)] * 2
    decoder, found = Decoder(mapping(TOPIC)), list[str]()
    for key, value, headers in landing.records:
        try:
            (change,) = decoder.decode_all(
                key=key, value=value, headers=headers, timestamp=0, topic=TOPIC, partition=0, offset=0
            )
            found.append(change.row)
        except BadInput:
            found.append("refused")
    assert found == ["A1", "refused", "A2", "A1", "A2"]


@pytest.mark.parametrize("cursor", ["seq", "id"])
def test_half_a_surrogate_pair_moves_no_cursor(tmp_path: Path, cursor: str) -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.query["since"])
        rows = [{"appNo": "A1", cursor: "1" if cursor == "seq" else "id-1"}, {"appNo": "A2", cursor: "9\ud800"}]
        return web.Response(text=json.dumps({"data": {"items": rows}}), content_type="application/json")

    with serving(answer) as url:
        for _ in range(2):
            assert run(tmp_path, url, Noted(), counted("0" if cursor == "seq" else "id-0", cursor)).bad == 1
    assert asked == (["0", "1"] if cursor == "seq" else ["id-0", "id-1"])


def test_a_token_that_is_no_text_is_a_bad_answer(tmp_path: Path) -> None:
    body = json.dumps({"data": {"items": [{"appNo": "A1"}]}, "next": "\ud800"})
    with (
        serving(lambda _request: web.Response(text=body, content_type="application/json")) as url,
        pytest.raises(BadAnswer, match="next page is no text"),
    ):
        run(tmp_path, url, Noted(), DEFINITION + f"paging: {PAGED['token']}\n")


def test_what_only_a_lenient_parser_takes_is_no_json(tmp_path: Path) -> None:
    body = '{"data": {"items": [{"appNo": "A\\ud800", "org": NaN}]}}'
    with (
        serving(lambda _request: web.Response(text=body, content_type="application/json")) as url,
        pytest.raises(BadAnswer, match="not JSON"),
    ):
        run(tmp_path, url, Noted())


def test_a_bad_row_that_kafka_did_not_take_is_told_again(tmp_path: Path) -> None:
    rows = [{"appNo": "AX", "updated": "9999-12-31T00:00:00Z"}]
    landing = Noted(fails_at=[1])
    with serving(answering(rows, [])) as url:
        with pytest.raises(Exception, match="Kafka is away"):
            run(tmp_path, url, landing)
        run(tmp_path, url, landing)
    assert len(landing.records) == 1


def test_the_cursor_moves_past_a_row_that_is_bad_elsewhere(tmp_path: Path) -> None:
    rows, asked = [{"appNo": "A1", "accepted_at": "morgen", "updated": "2026-03-02T01:00:00Z"}], list[str]()
    with serving(answering(rows, asked)) as url:
        run(tmp_path, url, Noted())
        run(tmp_path, url, Noted())
    assert asked[1] == "2026-03-02T01:00:00Z"


def test_times_are_compared_as_moments_not_as_text(tmp_path: Path) -> None:
    times = ["2026-03-02T09:00:00+08:00", "2026-03-02T02:00:00.5Z", "2026-03-02T02:00:00Z"]
    rows, asked = [{"appNo": f"A{n}", "updated": at} for n, at in enumerate(times)], list[str]()
    with serving(answering(rows, asked)) as url:
        run(tmp_path, url, Noted())
        run(tmp_path, url, Noted())
    assert asked[1] == "2026-03-02T02:00:00.5Z"


def test_a_place_left_by_a_bad_date_before_is_read_over(tmp_path: Path) -> None:
    asked = list[str]()
    with serving(answering([], asked)) as url:
        run(tmp_path, url, Noted(), counted("9999-12-31T00:00:00Z", "updated"))  # as an earlier version left it
        run(tmp_path, url, Noted())
    assert asked[1] == "2026-01-01T00:00:00Z"


PAGED = {"token": "{{kind: token, param: after, next: next}}", "link": "{{kind: link, next: next}}"}


@pytest.mark.parametrize("kind", PAGED)
def test_pages_behind_an_empty_one_are_read_where_the_answer_names_them(tmp_path: Path, kind: str) -> None:
    def answer(request: web.Request) -> web.Response:
        page = int(request.query.get("after", "1"))
        at = {"appNo": f"A{page}", "updated": f"2026-03-0{4 - page}T00:00:00Z"}
        following = {"token": page + 1, "link": f"/apps?after={page + 1}"}[kind] if page < 3 else None
        return web.json_response({"data": {"items": [] if page == 2 else [at]}, "next": following})

    landing = Noted()
    with serving(answer) as url:
        run(tmp_path, url, landing, DEFINITION + f"paging: {PAGED[kind]}\n")
    assert landing.rows() == ["A1", "A3"]


@pytest.mark.parametrize("kind", PAGED)
def test_paging_that_leads_back_ends(tmp_path: Path, kind: str) -> None:
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        following = "x" if kind == "token" else "/apps?x"
        return web.json_response({"data": {"items": []}, "next": following})

    with serving(answer) as url, pytest.raises(BadAnswer, match="leads back to a page that was read"):
        run(tmp_path, url, Noted(), DEFINITION + f"paging: {PAGED[kind]}\n")
    assert len(asked) == 2


@pytest.mark.parametrize(
    "link",
    ["http://localhost:{port}/more", "https://127.0.0.1:{port}/more", "http://127.0.0.1:1/more", "//localhost/more",
     "http://127.0.0.1:{port}@localhost:{port}/more", "http://me:secret@127.0.0.1:{port}/more", "http://[/more",
     "http://127.0.0.1:{port}\\@localhost/more", "http://127.0.0.1:99999/more", "ftp:more"],
)  # fmt: skip
def test_a_link_to_another_host_gets_no_credentials(tmp_path: Path, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPS_TOKEN", "streng-geheim")
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers.get("Authorization")))
        named = link.replace("{port}", str(request.url.port))
        return web.json_response({"data": {"items": [{"appNo": "A1"}]}, "next": named})

    definition = DEFINITION + "auth: {{bearer: env:APPS_TOKEN}}\n" + f"paging: {PAGED['link']}\n"
    with serving(answer) as url, pytest.raises(BadAnswer, match="next page") as caught:
        run(tmp_path, url, Noted(), definition)
    assert asked == [("/apps", "Bearer streng-geheim")]
    assert "secret" not in str(caught.value)


def test_a_number_that_cannot_be_held_is_no_json(tmp_path: Path) -> None:
    body = json.dumps({"data": {"items": []}})[:-1] + ', "n": 1e99999999999999999999}'
    with serving(lambda _request: web.Response(text=body)) as url, pytest.raises(BadAnswer, match="not JSON"):
        run(tmp_path, url, Noted())
