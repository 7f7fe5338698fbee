"""The decoders of one worker: made here, and asked now and then what they think of the declarations."""

import logging

from schemas import Decoder, FanOut, SchemaOf, TableMapping, decoder_of

log = logging.getLogger("stagewatch.decode")


class Decoders:
    """Makes decoders, and says once what each of them warns of."""

    def __init__(self, schema_of: SchemaOf | None) -> None:
        self._schema_of = schema_of
        self._made: list[Decoder | FanOut] = []
        self._said: set[str] = set()

    def make(self, mapping: TableMapping) -> Decoder:
        """Give a decoder of a captured table's own view: for look-ups, and for topics read as they stand."""
        decoder = Decoder(mapping, schema_of=self._schema_of)
        self._made.append(decoder)
        return decoder

    def make_whole(self, mapping: TableMapping) -> Decoder | FanOut:
        """Give a decoder of a captured table with all its views."""
        decoder = decoder_of(mapping, schema_of=self._schema_of)
        self._made.append(decoder)
        return decoder

    def warn(self) -> None:
        """Log what the records seen so far say against their declaration; each sentence once."""
        for decoder in self._made:
            for warning in decoder.warnings:
                if warning not in self._said:
                    self._said.add(warning)
                    log.warning("%s", warning)
