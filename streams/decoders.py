"""The decoders of one worker: made here, and asked now and then what they think of the declarations."""

import logging

from schemas import Decoder, SchemaOf, TableMapping

log = logging.getLogger("stagewatch.decode")


class Decoders:
    """Makes decoders, and says once what each of them warns of."""

    def __init__(self, schema_of: SchemaOf | None) -> None:
        self._schema_of = schema_of
        self._made: list[Decoder] = []
        self._said: set[str] = set()

    def make(self, mapping: TableMapping) -> Decoder:
        """Give a decoder of a captured table."""
        decoder = Decoder(mapping, schema_of=self._schema_of)
        self._made.append(decoder)
        return decoder

    def warn(self) -> None:
        """Log what the records seen so far say against their declaration; each sentence once."""
        for decoder in self._made:
            for warning in decoder.warnings:
                if warning not in self._said:
                    self._said.add(warning)
                    log.warning("%s", warning)
