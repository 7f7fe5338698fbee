"""Shows messages on a terminal, for trying things out. Channel URL: `console:`."""

from typing import TextIO

from rich.console import Console
from rich.text import Text

from schemas.notice import Channel
from sinks.masking import masked_address
from sinks.sink import Delivered, Message, RetryAfter


class ConsoleSink:
    """One line per message. The address is masked: terminals are logged."""

    name = "console"
    timeout_s = 5.0

    def __init__(self, channel: Channel, stream: TextIO) -> None:
        self.channel = channel
        self._console = Console(file=stream, highlight=False, soft_wrap=True)

    async def send(self, message: Message) -> Delivered | RetryAfter:
        """Print the message; a closed terminal is a busy one."""
        body = message.subject or message.text
        line = Text.assemble(
            (f"{message.channel:<5}", "bold cyan"),
            (f" {masked_address(message.address):<14} ", "dim"),
            " ".join(body.split()),
        )
        try:
            self._console.print(line)
        except (OSError, ValueError) as error:
            return RetryAfter(0, f"the terminal cannot be written: {type(error).__name__}")
        return Delivered(f"console:{message.msg_id[:8]}")

    async def close(self) -> None:
        """Nothing to give back: the stream is the caller's."""
