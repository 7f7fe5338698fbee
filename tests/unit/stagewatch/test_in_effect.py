"""Which published definitions count for a time, and which of them for an instance that began before a change."""

from functools import lru_cache

from stagewatch.in_effect import InEffect, published_at
from tests.helpers.rulebooks import LOOSE, TIGHT, Book, Edit

FOR_NEW: Edit = ("limits/default", "title: 现行承诺时限\n", "title: 现行承诺时限\napplies_to: new\n")
FIRST, SECOND = 1000, 2000


@lru_cache
def book() -> Book:
    made = Book()
    made.publish(FOR_NEW, TIGHT, at=FIRST)
    made.publish(FOR_NEW, LOOSE, at=SECOND)
    return made


def at(time: int | None) -> InEffect:
    found = published_at(book().ledger, time)
    assert found is not None
    return found


def version(found: InEffect, began: int) -> int:
    """Give the version of R-T03 by which the survey of an application is judged that is known since `began`."""
    processes = found.as_begun(found.compiled(), began).by_entity["application"]
    (rule,) = [process.deadline("R-T03", "SURVEY") for process in processes if process.id == "hv_connection"]
    assert rule is not None
    return rule.face.version


def test_what_was_published_counts_from_its_time_on() -> None:
    assert published_at(book().ledger, FIRST - 1) is None
    serials = [found.published[1] for found in map(at, (FIRST, SECOND - 1, SECOND, None)) if found.published]
    assert serials == [1, 1, 2, 2]


def test_an_instance_keeps_what_it_began_with_through_changes_for_new_ones() -> None:
    assert [version(at(None), began) for began in (FIRST - 1, FIRST, SECOND - 1, SECOND)] == [1, 2, 2, 3]
    assert [version(at(FIRST), began) for began in (FIRST - 1, FIRST)] == [1, 2]


def test_a_time_without_a_zone_is_local_to_the_calendar() -> None:
    assert at(None).zone == "Asia/Shanghai"
