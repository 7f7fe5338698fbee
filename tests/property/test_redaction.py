"""Whatever a secret is made of, and in whatever form a text repeats it, it is not shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.connect.redaction import cleaned, invalid_values, literal_secret

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
    "header": lambda secret: f"curl -H {json.dumps(f'Cookie: a=b; sid={secret}')} http://h",
    "cookie in json": lambda secret: json.dumps({"Set-Cookie": f"sid={secret}; Path=/"}),
    "cookie in escaped json": lambda secret: json.dumps(json.dumps({"cookie": secret, "user": "u"})),
    "key header": lambda secret: json.dumps({"x-api-key": secret}),
    "jaas": lambda secret: f"x.PlainLoginModule required password={json.dumps(secret)};",
}
"""Forms that say where a secret ends."""
BARE = {
    "=": "url?user=a&password={}&x=1", ":": "database.password: {}", "option": "run --password {} now",
    "words": "login with password {}", "chinese": "数据库密码={}", "wide": "口令：{}, x",
    "arrow": "database.password -> {}", "url": "pw%3D password%3D{}", "xml": "<password>{}</password>",
    "identified": "ALTER USER u IDENTIFIED BY {} ACCOUNT UNLOCK", "map": "{{user=x, password={}}}",
    "digest": "Authorization: Digest {}", "bearer": "Authorization: Bearer {}",
    "api key": "api_key {}", "header of a key": "GET /x X-Api-Key: {}", "words of a key": "with API key {} at",
    "cookie": "Cookie: a=b; c={}; d=e", "set": "< Set-Cookie: sid={}; Path=/; HttpOnly",
    "map of headers": "{{Cookie=[a=b; c={}]}}",
    "cookie's words": "cookie sid={}; x=1", "session": "http://h/x;JSESSIONID={}",
    "end": "Invalid value {} for configuration database.password",
}  # fmt: skip
LOGONS = {
    "administrator": "sys/{}@ORCL", "alias": "cannot log on with mkt/{}@ORCL_P", "domain": "mkt/{}@ORCL.WORLD",
    "host": "mkt/{}@//db.grid.cn:1521/ORCL", "port": "mkt/{}@db.grid.cn:1521", "service": "mkt/{}@db.grid.cn/orcl",
    "address": "mkt/{}@10.1.2.3", "descriptor": "mkt/{}@(DESCRIPTION=(ADDRESS=(HOST=h)))", "single": "'mkt/{}@ORCL'",
    "double": 'run("mkt/{}@ORCL")', "json": '{{"a":"mkt/{}@ORCL"}}', "escaped": r'{{\"a\":\"mkt/{}@ORCL\"}}',
    "password in quotes": 'mkt/"p @/{}"@ORCL', "both in quotes": '"mkt"/"{}"@ORCL', "in quotes": r'mkt/\"x {}\"@h.cn',
    "client": "sqlplus -S mkt/{}@db.grid.cn", "called": "CONNECT mkt/{}@c.d", "id": "exp userid=mkt/{} full=y",
    "local": "impdp mkt/{} directory=d", "as": "mkt/{}@c.d as sysdba", "spoken of": "ORA-01017: mkt/{}@c.d",
    "with an @": "mkt/p@{}@ORCL", "with a slash": "connect mkt/p/{}@ORCL", "proxy": "app[mkt]/{}@ORCL",
    "reference": "***/{}@ORCL", "two": "mkt/a@ORCL,opm/{}@ORCL", "urls": "jdbc:oracle:oci:mkt/{}@ORCL",
}  # fmt: skip
"""Of Oracle's own clients."""
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


@pytest.mark.parametrize("form", LOGONS)
@given(rest=st.text(alphabet="ab1$#!\\+=*~^%.:-_密", max_size=9))
def test_the_password_of_a_connect_string_never_stands_in_the_output(form: str, rest: str) -> None:
    assert MARK not in cleaned(LOGONS[form].format(MARK + rest))


@pytest.mark.parametrize(
    "form",
    [*QUOTED, "=", "option", "chinese", "identified", "header of a key", "cookie", "set", "administrator", "client",
     "called", "as"],
)  # fmt: skip
def test_such_a_setting_is_refused_and_a_reference_is_not(form: str) -> None:
    write = QUOTED.get(form) or (BARE | LOGONS)[form].format
    assert literal_secret("database.initial.statements", write(MARK))
    if (
        form not in ("replace", "escaped json", "json", "braces")
        and "cookie" not in form
        and form not in ("set", "header")
    ):
        assert not literal_secret("database.initial.statements", write("${env:P}"))


@pytest.mark.parametrize(
    "text",
    [
        "FATAL: password authentication failed for user x", "the password is wrong", "mkt.user_token:id",
        "Invalid value 1 for configuration database.password: too short", "the cookie is missing; send one",
        "API key is missing", "invalid api key provided",
        # What has a slash and an @, and is no connect string.
        "mail in /var/mail/b@c.d", "see a/b@c.d", "to mailto:b@c.d and/or d@e.f", "kafka/broker1.grid.cn@GRID.CN",
        "image grid/connect@sha256:0a1b", "actions/checkout@v4", "pkg/name@1.0.2", "Foo$$Lambda/0x00f1@5e8c",
        "kafka://h:9092/x mail a@b", "log on / as sysdba", "sqlplus /nolog",
        "Kafka connect source/sink", "a/b/c@d",
    ],
)  # fmt: skip
def test_a_message_about_a_secret_keeps_its_words(text: str) -> None:
    assert cleaned(text).replace("***", "1") in (text, "mkt.user_token:1")
    assert not literal_secret("some.setting", text)


HOSTILE = (
    "password", "'", '\\"', "password='", "a.", "{", "IDENTIFIED WITH ", "Invalid value ", " for configuration a",
    "Invalid value a for configuration b ", "Cookie: ", "'Cookie:", "a/", "a/b@", "a/'", "connect a/b ",
    "jdbc:oracle:a:", " jdbc:oracle:a:b/", "a://b:", "\\", " ",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_text_of_one_piece_is_cleaned(piece: str) -> None:
    assert isinstance(cleaned(piece * 2_000), str)


@pytest.mark.parametrize("piece", ["Invalid value ", "Invalid value a for configuration b ", " for configuration a"])
def test_a_million_beginnings_of_refused_values_are_passed_in_one_go(piece: str) -> None:
    # Looked at to the end for each, as was done once, they take the better part of a day.
    assert not list(invalid_values(piece * 1_000_000))


@pytest.mark.parametrize("count", [10, 1_000])
@given(
    pieces=st.lists(
        st.sampled_from(["Invalid value ", " for configuration ", "a", "x.password", ": ", "\n"]), max_size=12
    )
)
def test_no_letter_of_refused_values_is_looked_at_twice(pieces: list[str], count: int) -> None:
    text = "".join(pieces) * count
    found = list(invalid_values(text))
    assert sum(end - begin for begin, end in found) <= len(text)
    assert [at for span in found for at in span] == sorted(at for span in found for at in span)


def test_a_refused_value_that_holds_such_a_sentence_itself_is_not_shown() -> None:
    for value in ("hunter2", "a for configuration x: hunter2", "hunter2 Invalid value b", "a\nhunter2"):
        text = f"Invalid value {value} for configuration database.password: why"
        assert cleaned(text) == "Invalid value *** for configuration database.password: why"
