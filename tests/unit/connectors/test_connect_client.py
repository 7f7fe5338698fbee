"""What the client of Kafka Connect sends besides its requests; what it makes of answers is in the contract tests."""

import base64
from pathlib import Path

import pytest
from aiohttp import web

from connectors.connect import ConnectClient
from tests.helpers.pulling import serving


def test_a_password_beyond_latin_1_is_sent_in_utf_8() -> None:
    told: list[str] = []

    def answer(request: web.Request) -> web.Response:
        told.append(base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode())
        return web.json_response([])

    with serving(answer) as url:
        assert ConnectClient(url.replace("//", "//u:%E5%AF%86@")).plugins() == []
    assert told == ["u:密"]


def test_user_and_password_of_the_setting_are_sent_and_not_what_a_netrc_has_for_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password stolen\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    told: list[str | None] = []

    def answer(request: web.Request) -> web.Response:
        told.append(request.headers.get("Authorization"))
        return web.json_response([])

    with serving(answer) as url:
        assert ConnectClient(url.replace("//", "//u:p%2Fw@")).plugins() == []
    assert told == ["Basic dTpwL3c="]
