"""Numbers that people type, and the texts they type them in."""

import pytest

from rules.loop.replies import parse_reply
from rules.loop.task_numbers import LENGTH, check_digit, is_number, owner_of, task_number

ONE = task_number("a1", "M1", owner=0, owners=8)
TWO = task_number("a2", "M1", owner=5, owners=8)


@pytest.mark.parametrize("owners", [1, 3, 8, 64])
def test_a_number_names_its_owner(owners: int) -> None:
    for owner in range(owners):
        number = task_number("a1", "M1", owner=owner, owners=owners)
        assert len(number) == LENGTH
        assert is_number(number)
        assert owner_of(number, owners) == owner


def test_every_wrong_digit_and_every_swap_of_neighbours_is_found() -> None:
    wrong = [ONE[:i] + digit + ONE[i + 1 :] for i in range(LENGTH) for digit in "0123456789" if digit != ONE[i]]
    swapped = [ONE[:i] + ONE[i + 1] + ONE[i] + ONE[i + 2 :] for i in range(LENGTH - 1) if ONE[i] != ONE[i + 1]]
    assert not [number for number in wrong + swapped if is_number(number)]


def test_the_check_digit_is_that_of_the_paper() -> None:
    assert check_digit("572") == "4"  # the example of H. M. Damm's thesis


@pytest.mark.parametrize(
    ("text", "numbers", "remark"),
    [
        (ONE, [ONE], ""),
        (f"  {ONE}\r\n", [ONE], ""),
        ("".join(chr(ord(c) + 0xFEE0) for c in ONE), [ONE], ""),
        (f"{ONE[:4]} {ONE[4:]}", [ONE], ""),
        (f"{ONE}【张三】", [ONE], ""),
        (f"【供电所】{ONE}，已处理。", [ONE], "已处理。"),
        (f"{ONE}、{TWO} 都办完了", [ONE, TWO], "都办完了"),
        (f"{ONE} {ONE}", [ONE], ""),
        (f"回复{ONE}办结 电话13900000001", [ONE], "回复 办结 电话13900000001"),
        ("已处理", [], "已处理"),
    ],
)
def test_a_reply_is_numbers_and_a_remark(text: str, numbers: list[str], remark: str) -> None:
    reply = parse_reply(text)
    assert list(reply.numbers) == numbers
    assert reply.remark == remark.strip("。")


def test_eight_digits_with_a_wrong_check_digit_are_told_from_a_number() -> None:
    wrong = ONE[:-1] + str((int(ONE[-1]) + 1) % 10)
    assert parse_reply(f"{wrong} {ONE}") == ((ONE,), (wrong,), "")
