"""Whatever a gateway sends: a wire understands it or says that it does not, in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.sms.wire import BadFrame
from tests.helpers.sms_gateways import FACES, WIRES

COMMANDS = st.sampled_from([1, 2, 3, 4, 5, 6, 8, 9, 0x15, 0x1000]).flatmap(
    lambda number: st.sampled_from([number, number | 0x80000000])
)


@pytest.mark.parametrize("protocol", WIRES)
@given(command=COMMANDS, body=st.binary(max_size=300))
def test_any_frame_is_read_or_refused(protocol: str, command: int, body: bytes) -> None:
    frame = (8 + len(body)).to_bytes(4) + command.to_bytes(4) + body
    try:
        WIRES[protocol]().read(frame)
    except BadFrame as refused:
        assert "138" not in str(refused)  # noqa: PT017 - what it says matters, whether it is raised does not


@pytest.mark.parametrize("protocol", WIRES)
@given(at=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_a_damaged_report_or_message_is_read_or_refused(protocol: str, at: int, value: int, cut: int) -> None:
    face = FACES[protocol]()
    content = bytes((5, 0, 3, 7, 2, 1)) + "签收".encode("utf-16-be")
    for frame in (
        face.report(bytes(8), "13800000001", "DELIVRD"),
        face.inbound("13800000001", "10690001", content, has_header=True, number=1),
    ):
        damaged = bytearray(frame)
        damaged[8 + at % (len(frame) - 8)] = value
        for each in (bytes(damaged), bytes(damaged[: max(len(frame) - cut, 9)])):
            try:
                WIRES[protocol]().read(each)
            except BadFrame:
                continue
