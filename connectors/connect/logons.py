"""Oracle's connect strings in somebody else's text: `sys/password@ORCL`, as SQL*Plus, Data Pump and RMAN take them.

A path, a mail address, a Kerberos principal and a container image look alike. So a string counts surely where a
client is called, where an administrator logs on, or where `as sysdba` follows; probably where a database stands behind
the @, or the text speaks of Oracle. What is probable is hidden where a text is shown, and never refuses a setting.
Linear in the text's length: what begins like a connect string is passed whole, whether it is one or not.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_ESCAPES = r"\\{0,8}"
"""JSON in JSON in JSON; bounded, else a run of backslashes is looked at again and again."""
_LOGON = re.compile(
    rf"(?P<user>(?<![\w$#./~@%*-])(?:{_ESCAPES}\")?(?:(?!\d+/)[\w$#.-]++(?:\[[\w$#]*+\])?|\*\*\*)(?:{_ESCAPES}\")?/(?![/\s]))"
    rf"(?:(?P<quote>{_ESCAPES}[\"'])(?P<quoted>(?:(?!(?P=quote))[^\r\n])*+)(?P<closed>(?P=quote))?|(?P<bare>[^\s\"'`]*+))"
)
_CALLED = re.compile(
    r"(?i)\b(?:(?P<client>sqlplus|sqlcl|sqlldr|expdp|impdp|exp|imp|userid|rman)|conn|connect|target|auxiliary|catalog)"
    r"""(?:\s*=\s*|\s+(?:-\w+\s+(?:\d[\d.]*\s+)?){0,4})(?:\\{0,8}["'`])?$"""
)
_FURTHEST = 80
"""Letters before a connect string in which its client is called, options included."""
_ADMINISTRATOR = re.compile(r"""(?i)[\\"]*(?:sys|system|sysman|dbsnmp|scott)[\\"]*/""")
_AS_ADMINISTRATOR = re.compile(r"""(?i)[^\s]{0,200}?["'`]?\s+as\s+sys\w{2,6}\b""")
_ORACLE = re.compile(r"(?i)\bORA-\d|\bTNS[-:_]|oracle|sqlplus")
_DATABASE = re.compile(
    # `//host`, a descriptor; a host with port or service; an alias: a word, or in capitals.
    r"(?!sha\d+:)(?://|\(|[\w.-]{1,255}(?::\d{2,5}(?!\d)|/\w)|(?!v?\d[\w.-]*(?:[^\w.-]|$))[\w-]{1,128}(?![\w.-])|"
    r"\d{1,3}(?:\.\d{1,3}){3}(?![\w.-])|[A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)+(?![\w.-]))"
)
_PRINCIPAL = re.compile(
    r"(?i)[\\\"]*(?:kafka|connect|zookeeper|http|host|krbtgt|ldap|hdfs|hive)/[\w.-]+@[\w-]+\.[\w.-]+"
)
"""Kerberos's, of services that stand in traces: `kafka/broker1.grid.cn@GRID.CN`."""


class Logon(NamedTuple):
    """A password in a connect string: where it stands in the text, from and to, quotes included."""

    begin: int
    end: int
    password: str
    is_sure: bool


def logons(text: str) -> Iterator[Logon]:
    """Give the passwords, in order."""
    if "/" not in text:
        return
    speaks_of_oracle: bool | None = None
    for match in _LOGON.finditer(text):
        begin = match.end("user")
        called = _CALLED.search(text[max(0, match.start() - _FURTHEST) : match.start()])
        password, end = _password(match)
        has_place = text.startswith("@", end)
        is_bare_call = called is not None and called["client"] is not None
        if not password or not (has_place or is_bare_call or _AS_ADMINISTRATOR.match(text, begin)):
            continue
        behind = text[end : end + 512]  # wide enough for a host, a port and the words behind
        is_admin = _ADMINISTRATOR.match(match["user"]) is not None and has_place
        if is_admin or called is not None or _AS_ADMINISTRATOR.match(behind):
            yield Logon(begin, end, password, is_sure=True)
            continue
        if speaks_of_oracle is None:
            speaks_of_oracle = _ORACLE.search(text) is not None
        if _is_probable(match, begin, end, speaks_of_oracle=speaks_of_oracle):
            yield Logon(begin, end, password, is_sure=False)


def _password(match: re.Match[str]) -> tuple[str, int]:
    """Give the password and where it ends. People do not quote one with an @: so all up to the last is taken for it."""
    if match["quote"] is not None:
        return match["quoted"], match.end()
    found, at, _ = match["bare"].rpartition("@")
    return (found, match.start("bare") + len(found)) if at else (match["bare"], match.end())


def _is_probable(match: re.Match[str], begin: int, end: int, *, speaks_of_oracle: bool) -> bool:
    text, path = match.string, match["bare"]
    if path is None:
        return True  # nobody else quotes behind a slash and before an @
    if "$$Lambda" in match["user"] or _PRINCIPAL.match(match[0]):
        return False
    if "/" in text[begin:end] and "@" not in path[: path.find("/")]:
        return speaks_of_oracle
    places = (begin + at + 1 for at, sign in enumerate(path) if sign == "@")
    return speaks_of_oracle or any(_DATABASE.match(text, place) for place in places)
