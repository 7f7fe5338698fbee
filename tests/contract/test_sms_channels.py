"""The channels' contract over a stand-in of each protocol, as carriers fail. Over real gateways: `tests/e2e`."""

import asyncio

import pytest

from tests.helpers.sms_gateways import FACES, standin
from tests.helpers.sms_sentences import SENTENCES, Sentence


@pytest.mark.parametrize("protocol", FACES)
@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.__name__)
def test_channel(protocol: str, sentence: Sentence) -> None:
    async def over_the_stand_in() -> None:
        async with standin(protocol) as peer:
            await sentence(peer)

    asyncio.run(over_the_stand_in())
