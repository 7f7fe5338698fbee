"""What must never be printed: which settings hold secrets, and how text that may repeat one is cleaned.

The names are those that Debezium itself masks in its log (`custom.sanitize.pattern`), and the usual ones of Kafka
clients. Used for plans, errors and the traces that Connect hands out.
"""

import re

from connectors.debezium import REFERENCE

MASK = "***"
_SECRET = re.compile(
    r"(secret|password|passphrase|passwd|(?<!by)pass|pwd|token|credentials?|sasl\.jaas\.config|basic\.auth\.user\.info|"
    r"ssl\.keystore\.key|authorization|(?:api|access|account|encryption|master|private|secret|shared|signing|storage)"
    r"[._-]?key)$",
    re.IGNORECASE,
)
_NO_VALUE = frozenset({"", "bearer", "basic"})
"""What is left of a value that was a reference."""
_MASKED = re.compile(r"[*•●]{3,}|\[hidden\]", re.IGNORECASE)
_WORD = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|authorization|credential|密码|口令|密钥|"
    r"(?:api|access|account|secret|signing)[._-]?key)s?\d*"
)
_NAME = rf"(?<![\w.-])[\w.-]*(?<!by){_WORD}"
"""A longer name that ends so: `sslpassword`, `trustStorePassword`, `database.password`, `client_secret`."""
_END = r"\\*[\"'`]?"
"""A name in quotes, in JSON that is itself in quotes, ...."""
_SCHEME = r"(?:(?:bearer|basic|digest|negotiate|token)[ \t]+)?"
_VALUE = (
    r"((?<=digest )[^\r\n]+|"
    r"(?:(?P<quote>\\+[\"'`])[^\r\n]*?(?<!\\)(?P=quote)|"
    r"""'(?:''|(?s:\\.)|[^'\\])*+'|"(?:""|(?s:\\.)|[^"\\])*+"|`[^`]*`|"""
    # A value in braces is how SQL Server's URL holds one with a semicolon.
    r"\{(?:\}\}|[^}])*+\})[^\s,;&)}\]>]*|"
    # What is not closed was cut off: the rest of the line.
    r"\\*[\"'`][^\r\n]*|[^\s;,&]+)"
)
"""Whatever its quoting; in doubt more of the text than less."""
_ASSIGNED = re.compile(
    rf"(?i)({_NAME}{_END}\s*(?:=>|->|:=|=|＝|：|%3d)\s*{_SCHEME}(?:password\s*\(\s*)?|{_NAME}>|"
    # After a colon only where the word stands alone or in quotes: `mkt.user_token:id` names a column.
    rf"(?<![\w.-]){_WORD}{_END}\s*:\s*{_SCHEME}|[\"']{_NAME}{_END}\s*:\s*|(?<![\w.-])--[\w.-]*{_WORD}[ \t]+|"
    rf"{_NAME}(?:\s*\(\s*|\s+)(?=\\*[\"'`])|\bset\s+password\s+for\s+\S+\s*(?:=|to\s)\s*|"
    r"\bidentified\s+(?:with\s+\S+\s+)?(?:by|as|using)\s+(?:values\s+|password\s+)?|\bbearer\s+)" + _VALUE
)
_PROBABLE = re.compile(
    # `for configuration database.password: why` is a message, and so is `password authentication failed`.
    rf"(?i)((?<!configuration ){_NAME}\s*:\s*|\b(?:password|passwd|passphrase|pwd|密码|口令)[ \t]+"
    r"(?!(?:a|an|and|as|at|authentication|by|does|for|from|has|in|is|must|not|of|or|the|to|was|with)\b)|"
    r"\*\*\*\s+replace\s+)" + _VALUE
)
"""What would refuse honest settings, and only costs a word where a text is shown."""
_CLOSERS = "\"'`)}]>"
_AROUND = _CLOSERS + "\\{(*"
_PRIVATE_KEY = re.compile(r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)")
_NAMED = r"""[^\s/@:]*:(?!@)(?:(?:(?!://)[^\s"<>])+|[^\s/@]+)"""
"""User and password of a URL. People do not encode a password's `/`, `?` and `@`; so all up to the last @ is taken for
it, and a port with an @ far behind it too (`%40` is how a path has that)."""
_PASSWORD_IN_URL = re.compile(rf"\w://{_NAMED}@|\bjdbc:oracle:\w+:[^\s/@:]+/\S+@", re.IGNORECASE)
"""`scheme://user:password@host`, and Oracle's thin URL `jdbc:oracle:thin:user/password@host`."""
_IN_URL = re.compile(rf"(?i)(\w://|\bjdbc:oracle:\w+:)(?:(?<=//){_NAMED}|[^\s/@]+|(?<!//)[^\s/@:]+/\S+)@")
_INVALID = re.compile(r"(?s)(Invalid value )(.*?)( for configuration (\S+?)(?:[:\s]|$))")


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
    assigned = any(match[2].strip(_AROUND).lower() not in _NO_VALUE for match in _ASSIGNED.finditer(told))
    return assigned or _PASSWORD_IN_URL.search(rest) is not None


def cleaned(text: str) -> str:
    """Give text of somebody else's (a trace, a message) without what looks like a secret."""
    text = _INVALID.sub(lambda m: m[1] + shown_value(m[4], m[2]) + m[3], text)
    text = _PRIVATE_KEY.sub(lambda m: m[1] + MASK, text)
    for form in (_ASSIGNED, _PROBABLE):
        text = form.sub(_masked, text)
    return _IN_URL.sub(lambda m: f"{m[1]}{MASK}@", text)


def _masked(match: re.Match[str]) -> str:
    """Put stars in a value's place, and leave what closes the text around it."""
    value = match[2]
    return match[1] + MASK + ("" if value[0] in "\\\"'`{" else value[len(value.rstrip(_CLOSERS)) :])


def shown_value(key: str, value: str) -> str:
    """Give a value as a message may repeat it."""
    return MASK if is_secret(key) else value
