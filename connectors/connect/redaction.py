"""What must never be printed: which settings hold secrets, and how text that may repeat one is cleaned.

The names are those that Debezium itself masks in its log (`custom.sanitize.pattern`), and the usual ones of Kafka
clients. Used for plans, errors and the traces that Connect hands out.
"""

import re
from collections.abc import Iterator

from connectors.connect.logons import logons
from connectors.debezium import REFERENCE

MASK = "***"
_SECRET = re.compile(
    r"(secret|password|passphrase|passwd|(?<!by)pass|pwd|token|cookies?|credentials?|sasl\.jaas\.config|basic\.auth\.user\.info|"
    r"ssl\.keystore\.key|authorization|(?:api|access|account|encryption|master|private|secret|shared|signing|storage)"
    r"[._-]?key)$",
    re.IGNORECASE,
)
_NO_VALUE = frozenset({"", "bearer", "basic"})
"""What is left of a value that was a reference."""
_MASKED = re.compile(r"[*•●]{3,}|\[hidden\]", re.IGNORECASE)
_WORD = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|authorization|credential|密码|口令|密钥|"
    r"(?:api|access|account|secret|signing)[ ._-]?key)s?\d*"
)
_NAME = rf"(?<![\w.-])[\w.-]*(?<!by){_WORD}"
"""A longer name that ends so: `sslpassword`, `trustStorePassword`, `database.password`, `client_secret`."""
_END = r"\\*[\"'`]?"
"""A name in quotes, in JSON that is itself in quotes, ...."""
_SCHEME = r"(?:(?:bearer|basic|digest|negotiate|token)[ \t]+)?"
_QUOTED = (
    r"(?P<quote>\\+[\"'`])[^\r\n]*?(?<!\\)(?P=quote)|"
    r"""'(?:''|(?s:\\.)|[^'\\])*+'|"(?:""|(?s:\\.)|[^"\\])*+"|`[^`]*`"""
)
_VALUE = (
    rf"((?<=digest )[^\r\n]+|(?:{_QUOTED}|"
    # A value in braces is how SQL Server's URL holds one with a semicolon.
    r"\{(?:\}\}|[^}])*+\})[^\s,;&)}\]>]*|"
    # What is not closed was cut off: the rest of the line.
    r"\\*[\"'`][^\r\n]*|[^\s;,&]+)"
)
"""Whatever its quoting; in doubt more of the text than less."""
_ASSIGNED = re.compile(
    rf"(?i)({_NAME}{_END}\s*(?:=>|->|:=|=|＝|：|%3d)\s*{_SCHEME}(?:password\s*\(\s*)?|{_NAME}>|"
    # After a colon only where the word stands alone, in quotes or in a header's name (`X-Api-Key`):
    # `mkt.user_token:id` names a column.
    rf"(?<![\w.-])(?:[a-z]+-)*{_WORD}{_END}\s*:\s*{_SCHEME}|[\"']{_NAME}{_END}\s*:\s*|"
    rf"(?<![\w.-])--[\w.-]*{_WORD}[ \t]+|"
    rf"{_NAME}(?:\s*\(\s*|\s+)(?=\\*[\"'`])|\bset\s+password\s+for\s+\S+\s*(?:=|to\s)\s*|"
    r"\bidentified\s+(?:with\s+\S+\s+)?(?:by|as|using)\s+(?:values\s+|password\s+)?|\bbearer\s+)" + _VALUE
)
_PROBABLE = re.compile(
    # `for configuration database.password: why` is a message, and so is `password authentication failed`.
    rf"(?i)((?<!configuration ){_NAME}\s*:\s*|\b(?:password|passwd|passphrase|pwd|密码|口令)[ \t]+"
    r"(?!(?:a|an|and|as|at|authentication|by|does|for|from|has|in|is|must|not|of|or|the|to|was|with)\b)|"
    r"\b(?:api|access)[ ._-]?key[ \t]+(?!(?:a|an|and|as|at|auth\w*|by|cannot|does|expired|for|found|from|has|"
    r"header|id|in|invalid|is|may|missing|must|not|of|or|provided|required|should|the|to|was|will|with)\b)|"
    r"\b(?:j|php|asp\.net_)sess(?:ion)?id\s*=\s*|"
    r"\*\*\*\s+replace\s+)" + _VALUE
)
"""What would refuse honest settings, and only costs a word where a text is shown."""
_COOKIE = re.compile(
    rf"""(?i)((?P<around>\\{{0,8}}["'`])?(?<![\w.])(?:set-)?cookies?2?(?P<named>\\{{0,8}}["'`])?"""
    # In words (`the cookie is missing`) it is none; `cookie sid=x` is one.
    rf"""(?:\s*(?:=>|->|:=|[:=：＝]|%3a|%3d)[ \t]*|[ \t]+(?=[\w.-]+=)))"""
    # A header in quotes ends with them, and so does a quoted value of a quoted name; others go to the line's end.
    rf"""((?(named)(?:{_QUOTED}|[^\r\n]+)|(?(around)(?:(?!(?<!\\)(?P=around))[^\r\n])+|[^\r\n]+)))"""
)
"""`Cookie: a=b; c=d`, with all its pairs: any may be the session's."""
_PAIR = re.compile(r"(?:[^=;]*=)?([^;]*)")
_CLOSERS = "\"'`)}]>"
_AROUND = _CLOSERS + "\\{(*"
_PRIVATE_KEY = re.compile(r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)")
_NAMED = r"""[^\s/@:]*:(?!@)(?:(?:(?!://)[^\s"<>])+|[^\s/@]+)"""
"""User and password of a URL. People do not encode a password's `/`, `?` and `@`; so all up to the last @ is taken for
it, and a port with an @ far behind it too (`%40` is how a path has that)."""
_ANOTHER = "jdbc:oracle:"
_THIN = rf"(?:(?!{_ANOTHER})\S)"
"""Up to the next such URL: else one behind the other, each is looked at to the end of all."""
_PASSWORD_IN_URL = re.compile(rf"\w://{_NAMED}@|\bjdbc:oracle:\w+:[^\s/@:]+/{_THIN}+@", re.IGNORECASE)
"""`scheme://user:password@host`, and Oracle's thin URL `jdbc:oracle:thin:user/password@host`."""
_IN_URL = re.compile(
    rf"(?i)(\w://|\bjdbc:oracle:\w+:)(?:(?<=//){_NAMED}|(?:(?!{_ANOTHER})[^\s/@])+|(?<!//)[^\s/@:]+/{_THIN}+)@"
)
_INVALID = "Invalid value "
_OF_SETTING = re.compile(r" for configuration ([^\s:]*[^\s:.,;\"'`)])")
"""What follows is a sentence of Connect's: `Invalid value 7 for configuration tasks.max: why`."""


def is_secret(key: str) -> bool:
    """Tell whether a setting's value is one to keep."""
    return _SECRET.search(key) is not None


def is_masked(value: str) -> bool:
    """Tell whether a server has put stars in a value's place."""
    return _MASKED.fullmatch(value) is not None


def shown(key: str, value: str) -> str:
    """Give a setting's value as a person may see it."""
    return MASK if is_secret(key) else cleaned(value)


def literal_secret(key: str, value: str) -> bool:
    """Tell whether a value holds a secret in the clear, where only a reference may stand."""
    rest = REFERENCE.sub("", value)
    if is_secret(key) and not key.lower().endswith("jaas.config"):
        return rest != ""
    told = REFERENCE.sub(MASK, value)
    assigned = any(_says(match[2]) for match in _ASSIGNED.finditer(told))
    in_cookie = any(_says(pair[1]) for match in _COOKIE.finditer(told) for pair in _PAIR.finditer(match[4]))
    logged_on = any(logon.is_sure and _says(logon.password) for logon in logons(told))
    return assigned or in_cookie or logged_on or _PASSWORD_IN_URL.search(rest) is not None


def _says(value: str) -> bool:
    """Tell whether a value is more than what is left of a reference."""
    return value.strip(_AROUND).lower() not in _NO_VALUE


def cleaned(text: str) -> str:
    """Give text of somebody else's (a trace, a message) without what looks like a secret."""
    text = _without_logons(_without_invalid(text))
    text = _PRIVATE_KEY.sub(lambda m: m[1] + MASK, text)
    text = _COOKIE.sub(lambda m: m[1] + MASK, text)
    for form in (_ASSIGNED, _PROBABLE):
        text = form.sub(_masked, text)
    return _IN_URL.sub(lambda m: f"{m[1]}{MASK}@", text)


def _without_logons(text: str) -> str:
    parts, done = list[str](), 0
    for logon in logons(text):
        parts += [text[done : logon.begin], MASK]
        done = logon.end
    return "".join([*parts, text[done:]])


def _without_invalid(text: str) -> str:
    """Leave values out of Connect's own sentences about settings that hold secrets, whatever they are made of."""
    parts, done = list[str](), 0
    for begin, end in invalid_values(text):
        parts += [text[done:begin], MASK]
        done = end
    return "".join([*parts, text[done:]])


def invalid_values(text: str) -> Iterator[tuple[int, int]]:
    """Give from where to where the refused value of a secret stands; looks at no letter twice.

    A value may hold such a sentence itself: it goes on to the last secret setting that its line names.
    """
    begin = text.find(_INVALID)
    while begin >= 0:
        begin += len(_INVALID)
        first = _OF_SETTING.search(text, begin)
        if first is None:
            return
        following = text.find(_INVALID, first.end())
        end = following if following >= 0 else len(text)
        line_end = text.find("\n", first.end(), end)
        named = [first, *_OF_SETTING.finditer(text, first.end(), end if line_end < 0 else line_end)]
        secret = [match for match in named if is_secret(match[1])]
        if secret:
            yield begin, secret[-1].start()
        begin = following


def _masked(match: re.Match[str]) -> str:
    """Put stars in a value's place, and leave what closes the text around it."""
    value = match[2]
    return match[1] + MASK + ("" if value[0] in "\\\"'`{" else value[len(value.rstrip(_CLOSERS)) :])
