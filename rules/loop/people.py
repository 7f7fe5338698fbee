"""Who there is: what the loop asks of the reference data."""

from typing import Protocol

from schemas import Channel, Recipient

Told = tuple[Recipient, Channel]


class People(Protocol):
    """Who there is, as known at a time."""

    def with_role(self, role: str, org_no: str, at: int) -> list[Told]:
        """Give those of a unit with a role."""

    def person(self, no: str, at: int) -> Told:
        """Give a person by number."""
