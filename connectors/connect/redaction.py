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
_WORD = r"(?:pass(?:word|wd)?|pwd|secret|token|authorization|(?:api|access|account|secret|signing)[._-]?key)"
_NAME = rf"[\w.-]*(?<!by){_WORD}"
"""A longer name that ends so: `sslpassword`, `trustStorePassword`, `database.password`, `client_secret`."""
_ASSIGNED = re.compile(
    # After a colon only where the word stands alone: `configuration database.password: why` is a message.
    rf"""(?i)({_NAME}["']?\s*=\s*|["']{_NAME}["']\s*:\s*|(?<![.\w]){_WORD}["']?\s*:\s*(?:bearer\s+|basic\s+)?|"""
    r"""\bidentified\s+by\s+|\bbearer\s+)"""
    # A value in braces is how SQL Server's URL holds one with a semicolon.
    r"""("[^"]*"|'[^']*'|(?<!\$)\{[^}]*\}|[^\s;,&"')}]+)"""
)
_NAMED = r"""[^\s/@:]*:(?!@)(?:(?:(?!://)[^\s"<>])+|[^\s/@]+)"""
"""User and password of a URL. People do not encode a password's `/`, `?` and `@`; so all up to the last @ is taken for
it, and a port with an @ far behind it too (`%40` is how a path has that)."""
_PASSWORD_IN_URL = re.compile(rf"\w://{_NAMED}@|\bjdbc:oracle:\w+:[^\s/@:]+/\S+@", re.IGNORECASE)
"""`scheme://user:password@host`, and Oracle's thin URL `jdbc:oracle:thin:user/password@host`."""
_IN_URL = re.compile(rf"(?i)(\w://|\bjdbc:oracle:\w+:)(?:(?<=//){_NAMED}|[^\s/@]+|(?<!//)[^\s/@:]+/\S+)@")
_INVALID = re.compile(r"(?s)(Invalid value )(.*?)( for configuration (\S+?)[:\s])")


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
    assigned = any(match[2].strip("\"'").lower() not in _NO_VALUE for match in _ASSIGNED.finditer(rest))
    return assigned or _PASSWORD_IN_URL.search(rest) is not None


def cleaned(text: str) -> str:
    """Give text of somebody else's (a trace, a message) without what looks like a secret."""
    text = _INVALID.sub(lambda m: m[1] + shown_value(m[4], m[2]) + m[3], text)
    text = _ASSIGNED.sub(lambda m: m[1] + MASK, text)
    return _IN_URL.sub(lambda m: f"{m[1]}{MASK}@", text)


def shown_value(key: str, value: str) -> str:
    """Give a value as a message may repeat it."""
    return MASK if is_secret(key) else value
