"""What a carrier's gateway is, whatever it speaks: a protocol seen from its side. Used by `bench.sms_gateway`."""

from dataclasses import dataclass
from typing import Literal, Protocol

SECRET = "hunter2"  # noqa: S105 - the stand-ins' only one
PATIENT_TIME = b"2603020930"
"""When everything was submitted and delivered: `YYMMDDHHMM`, as reports have it."""
Kind = Literal["login", "submit", "ping", "pong", "logout", "answer"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a client said. `sequence` is the header's, as it stands; the rest mostly belongs to a submission."""

    kind: Kind
    sequence: bytes
    is_right: bool = True
    """A login with the right secret; an answer that accepts."""
    mobile: str = ""
    source: str = ""
    content: bytes = b""
    """With the user data header, if there is one; of a login the client's proof."""
    has_header: bool = False
    expires: str = ""

    @property
    def text(self) -> str:
        """What the part says."""
        return (self.content[6:] if self.has_header else self.content).decode("utf-16-be")

    @property
    def place(self) -> tuple[int, int, int]:
        """Reference, total and number; (0, 1, 1) if it stands alone."""
        return (self.content[3], self.content[4], self.content[5]) if self.has_header else (0, 1, 1)


class Face(Protocol):
    """One protocol, seen from the gateway."""

    @property
    def busy(self) -> int:
        """The result that means flow control."""

    @property
    def refused(self) -> int:
        """A result that means never."""

    def read(self, frame: bytes) -> Said:
        """What a frame of the client's says."""

    def login_answer(self, said: Said) -> bytes:
        """Let it in if its secret was right."""

    def carrier_id(self, said: Said, number: int) -> bytes:
        """The name of the n-th submission."""

    def submit_answer(self, said: Said, result: int, carrier_id: bytes) -> bytes:
        """The answer to a submission."""

    def plain_answer(self, said: Said) -> bytes:
        """The answer to a heartbeat or a good-bye."""

    def report(self, carrier_id: bytes, mobile: str, stat: str) -> bytes:
        """A delivery report."""

    def inbound(self, mobile: str, to: str, content: bytes, *, has_header: bool, number: int) -> bytes:
        """Something that somebody wrote, UCS-2."""

    def ping(self) -> bytes:
        """A heartbeat of the gateway's."""


def field(text: str, size: int) -> bytes:
    """A fixed field: filled with zero bytes."""
    return text.encode().ljust(size, b"\0")


def text_of(data: bytes) -> str:
    """What a fixed field says."""
    return data.split(b"\0")[0].decode()
