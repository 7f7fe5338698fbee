"""A small rule book about rows: one process `thing` with rules that a test gives, and nothing shipped."""

from functools import lru_cache

from rules import SHIPPED, Definitions, DefinitionSet
from rules.loader import compiled, fit, read_text
from schemas import Fault

PROCESS = """\
version: process/v1
id: thing
code: P90
title: 事项
entity: thing
over_when: [over_at]
KEEPS
stages:
  - {code: APPLY, title: 申请, documents: [申请表]}
  - {code: CHECK, title: 审核, limit: 2wd}
  - {code: APPROVE, title: 审批, limit: 1wd}
"""
TEMPLATES = """\
version: templates/v1
id: words
templates: {M17: "{text}", words: "{severity} {instance} {stage} {detail} {since} {due}"}
"""
HEAD = "version: rules/v1\nid: rows\nrules:\n"
LIMITS = "version: limits/v1\nid: default\ntitle: t\nrows: []\n"


def read_book(*rules: str, keeps: str = "") -> DefinitionSet:
    """Give the set; each rule is the inside of a flow mapping without `processes`, `title` and `text`."""
    lines = [f"  - {{title: t, processes: [thing], text: words, {rule}}}\n" for rule in rules]
    process = PROCESS.replace("KEEPS", f"keeps: {{{keeps}}}" if keeps else "")
    calendar = (SHIPPED / "calendars" / "state_council.yaml").read_text(encoding="utf-8")
    texts = (process, TEMPLATES, LIMITS, HEAD + "".join(lines), calendar)
    loaded = DefinitionSet()
    for number, text in enumerate(texts):
        read_text(text.encode(), f"{number}.yaml", loaded)
    fit(loaded)
    return loaded


@lru_cache
def book(*rules: str, keeps: str = "") -> Definitions:
    """Give the compiled set; a fault in it is a fault of the test."""
    loaded = read_book(*rules, keeps=keeps)
    assert not loaded.faults, loaded.faults[0]
    return compiled(loaded)


def faults(*rules: str, keeps: str = "") -> list[Fault]:
    """Give what is wrong with a book."""
    return read_book(*rules, keeps=keeps).faults
