"""Whatever a secret is made of, and in whatever form a text repeats it, it is not shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.connect.redaction import cleaned, literal_secret

QUOTED = {
    "json": lambda secret: json.dumps({"database.password": secret, "user": "u"}),
    "escaped json": lambda secret: json.dumps(json.dumps({"database.password": secret, "user": "u"})),
    "sql": lambda secret: f"ALTER USER u WITH PASSWORD {sql(secret)} VALID",
    "function": lambda secret: f"SET PASSWORD = PASSWORD({sql(secret)});",
    "for": lambda secret: f"SET PASSWORD FOR 'u'@'%' = {sql(secret)}",
    "with": lambda secret: f"CREATE USER u IDENTIFIED WITH caching_sha2_password BY {sql(secret)}\n at x",
    "values": lambda secret: f"ALTER USER u IDENTIFIED BY VALUES {sql(secret)} ACCOUNT UNLOCK",
    "replace": lambda secret: f'ALTER USER u IDENTIFIED BY "a b" REPLACE {sql(secret)}',
    "braces": lambda secret: f"jdbc:sqlserver://h;password={{{secret.replace('}', '}}')}}};x=1",
    "jaas": lambda secret: f"x.PlainLoginModule required password={json.dumps(secret)};",
}
"""Forms that say where a secret ends."""
BARE = {
    "=": "url?user=a&password={}&x=1", ":": "database.password: {}", "option": "run --password {} now",
    "words": "login with password {}", "chinese": "数据库密码={}", "wide": "口令：{}, x",
    "arrow": "database.password -> {}", "url": "pw%3D password%3D{}", "xml": "<password>{}</password>",
    "identified": "ALTER USER u IDENTIFIED BY {} ACCOUNT UNLOCK", "map": "{{user=x, password={}}}",
    "digest": "Authorization: Digest {}", "bearer": "Authorization: Bearer {}",
    "end": "Invalid value {} for configuration database.password",
}  # fmt: skip
MARK = "hunter2"


def sql(secret: str) -> str:
    return "'" + secret.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.mark.parametrize("form", QUOTED)
@given(before=st.text(), after=st.text())
def test_a_quoted_secret_never_stands_in_the_output(form: str, before: str, after: str) -> None:
    assert MARK not in cleaned(QUOTED[form](before + MARK + after))


@pytest.mark.parametrize("form", BARE)
@given(rest=st.text(alphabet="ab1$#!/\\+=*~^%.:-_密", max_size=9))
def test_a_bare_secret_never_stands_in_the_output(form: str, rest: str) -> None:
    assert MARK not in cleaned(BARE[form].format(MARK + rest))


@pytest.mark.parametrize("form", [*QUOTED, "=", "option", "chinese", "identified"])
def test_such_a_setting_is_refused_and_a_reference_is_not(form: str) -> None:
    write = QUOTED.get(form) or BARE.get(form, "").format
    assert literal_secret("database.initial.statements", write(MARK))
    if form not in ("replace", "escaped json", "json", "braces"):
        assert not literal_secret("database.initial.statements", write("${env:P}"))


@pytest.mark.parametrize(
    "text",
    [
        "FATAL: password authentication failed for user x", "the password is wrong", "mkt.user_token:id",
        "Invalid value 1 for configuration database.password: too short",
    ],
)  # fmt: skip
def test_a_message_about_a_secret_keeps_its_words(text: str) -> None:
    assert cleaned(text).replace("***", "1") in (text, "mkt.user_token:1")
    assert not literal_secret("some.setting", text)


@pytest.mark.parametrize("piece", ["password", "'", '\\"', "password='", "a.", "{", "IDENTIFIED WITH "])
def test_long_text_of_one_piece_is_cleaned(piece: str) -> None:
    assert isinstance(cleaned(piece * 2_000), str)
