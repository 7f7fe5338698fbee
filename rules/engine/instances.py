"""The instances of one partition: encoded as the changelog has them, decoded only while a step works on them.

Why: a million instances as objects are gigabytes, scattered so that every event waits for memory; encoded each is
one piece of some hundred bytes. What a step changes must be encoded for the changelog anyway, and decoding what it
needs costs less than finding its parts in cold memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from rules.state import Instance, InstanceHead, InstanceSummary

_encode_into = msgspec.msgpack.Encoder().encode_into
_decode = msgspec.msgpack.Decoder(Instance).decode
_decode_head = msgspec.msgpack.Decoder(InstanceHead).decode
_decode_summary = msgspec.msgpack.Decoder(InstanceSummary).decode


class Instances(Mapping[str, Instance]):
    """Instances by key. Reading gives copies; only what is `opened` can be changed, until `close`."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        """What is known, encoded; without what the present step has changed."""
        self._opened: dict[str, Instance] = {}
        self._scratch = bytearray()
        self.on_open: Callable[[Instance], None] | None = None
        """Sees each instance before anything is done to it, while other rules are being taken up."""

    # -- while a step works

    def open(self, key: str) -> Instance | None:
        """Give an instance to be changed; None if it is not known."""
        instance = self._opened.get(key)
        if instance is None:
            data = self.rows.get(key)
            if data is None:
                return None
            instance = self._opened[key] = _decode(data)
            if self.on_open is not None:
                self.on_open(instance)
        return instance

    def peek(self, key: str) -> Instance | None:
        """Give an instance without holding it open; what is changed must be given to `keep` at once."""
        opened = self._opened
        if opened and key in opened:
            return opened[key]
        if self.on_open is not None:
            return self.open(key)
        data = self.rows.get(key)
        return None if data is None else _decode(data)

    def keep(self, instance: Instance) -> bytes:
        """Keep an instance that is not open; give it as the changelog gets it."""
        data = self.rows[instance.key] = self._encode(instance)
        return data

    def scheduled(self, key: str) -> int | None:
        """Give the time of an instance in the timer heap; None if it has none."""
        opened = self._opened.get(key)
        if opened is not None:
            return opened.scheduled
        data = self.rows.get(key)
        return None if data is None else _decode_head(data).scheduled

    def differs(self, instance: Instance) -> bool:
        """Tell whether an instance is not as it was kept last."""
        return self.rows.get(instance.key) != self._encode(instance)

    def add(self, instance: Instance) -> None:
        """Hold an instance open: a new one, or one that was only looked at."""
        self._opened[instance.key] = instance

    def close(self, changed: Iterable[str]) -> dict[str, bytes]:
        """End a step: keep what changed, forget the rest; give what changed as the changelog gets it."""
        opened = self._opened
        written = {key: self._encode(opened[key]) for key in changed}
        self.rows.update(written)
        opened.clear()
        return written

    def _encode(self, instance: Instance) -> bytes:
        """Encode as long as it is; `Encoder.encode` would keep what it reserved, half as much again."""
        _encode_into(instance, self._scratch)
        return bytes(self._scratch)

    # -- recovery

    def load(self, key: str, data: bytes) -> None:
        """Take an instance from the changelog."""
        self.rows[key] = data

    def drop(self, key: str) -> None:
        """Take the removal of an instance from the changelog."""
        self.rows.pop(key, None)

    def heads(self) -> Iterator[tuple[str, InstanceHead]]:
        """Give what timers and indexes are made from, without decoding the rest; by the keys that are kept anyway."""
        return ((key, _decode_head(data)) for key, data in self.rows.items())

    def summaries(self) -> Iterator[InstanceSummary]:
        """Give what is counted, as it is when this is called: another thread may go through it."""
        return map(_decode_summary, list(self.rows.values()))

    # -- reading

    def __getitem__(self, key: str) -> Instance:
        return self._opened[key] if key in self._opened else _decode(self.rows[key])

    def __iter__(self) -> Iterator[str]:
        return iter([*self.rows, *(key for key in self._opened if key not in self.rows)])

    def __len__(self) -> int:
        return len(self.rows) + sum(key not in self.rows for key in self._opened)
