"""What a broken product would do: the simulation must notice each of these within a few worlds."""

from enum import StrEnum


class Sabotage(StrEnum):
    """One way in which a promise could be broken."""

    NO_FENCING = "fencing off"
    """Each owner opens a transactional id of its own: the one before goes on writing."""
    NO_POSITION_CHECK = "position check off"
    """A changelog that ends too early is believed."""
    NO_RANGE_CHECK = "range check off"
    """A batch is taken as it comes, also one that was delivered before."""
    OFFSETS_BEFORE = "offsets before the state"
    """Committed apart, before the transaction."""
    OFFSETS_AFTER = "offsets after the state"
    """Committed apart, after the transaction."""
    MARK_BEFORE = "marks before their changes"
    """Told in a transaction of their own, before what they vouch for."""
    MARK_AFTER = "marks after their changes"
    """Told in a transaction of their own, after what they vouch for. Costs time, and no promise."""
    CLAIM_NOT_WRITTEN = "sends before their claim is durable"
    NOT_AWAITED = "deliveries not awaited"
    """A refused produce request is not noticed, the transaction is committed without it."""
    UNCOMMITTED = "readers see open transactions"


SOUND: frozenset[Sabotage] = frozenset()
"""The product as it is."""
