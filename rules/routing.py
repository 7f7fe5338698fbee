"""Who is told: from roles in a rule to people, by the district of the instance (domain.md, P08).

Fallbacks in order: the manager of the application's district, the manager that the application names, the
supervisor of its unit; nobody found gives a notice over channel `none`, which is recorded and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules.reference import Fields, Reference
from schemas import Channel, Recipient

Told = tuple[Recipient, Channel]
ROLES = ("manager", "equipment_manager", "unit_supervisor")
"""The roles that a rule may name."""


class Routing:
    """Finds the people of one worker's reference data, as known at a given time."""

    def __init__(self, reference: Reference, *, mail_domain: str) -> None:
        self._reference = reference
        self._mail_domain = mail_domain

    def tell(self, roles: tuple[str, ...], fields: Fields, at: int) -> list[Told]:
        """Give who is told, each person once; at least one entry if any role was asked for."""
        found: dict[str, Told] = {}
        for role in roles:
            for told in self._role(role, fields, at):
                found.setdefault(told[0].no, told)
        if roles and not found:
            for told in self._supervisors(fields, at):
                found.setdefault(told[0].no, told)
        if roles and not found:
            org = str(fields.get("org_no") or "")
            return [(Recipient(no=f"org:{org}"), "none")]
        return list(found.values())

    def placed(self, fields: Fields, at: int) -> Fields:
        """Give an instance's fields with district and unit of its customer, where the row itself names no unit."""
        if fields.get("org_no") is not None or fields.get("cons_no") is None:
            return fields
        hangs = self._reference.get("cons_tg", str(fields["cons_no"]), at) or {}
        tg_no = fields.get("tg_no") or hangs.get("tg_no")
        below = self._reference.get("tg", str(tg_no), at) if tg_no is not None else None
        if below is None:
            below = self._reference.get("line", str(hangs.get("line_no")), at) or {}
        return {**fields, "tg_no": tg_no, "org_no": below.get("org_no")}

    def with_role(self, role: str, org_no: str, at: int) -> list[Told]:
        """Give those of a unit with a role; may be nobody."""
        return list(self._stakeholders(role, {"org_no": org_no}, at))

    def person(self, no: str, at: int) -> Told:
        """Give a person by number, with what is known of them."""
        return self._person(no, {}, at)

    def _role(self, role: str, fields: Fields, at: int) -> Iterator[Told]:
        if role == "manager":
            yield from self._manager(fields, at)
        elif role == "equipment_manager":
            yield from self._equipment_managers(fields, at)
        else:
            yield from self._stakeholders(role, fields, at)

    def _manager(self, fields: Fields, at: int) -> Iterator[Told]:
        told = self._district_manager(fields.get("tg_no"), at)
        if told is None and fields.get("mgr_no") is not None:
            told = self._person(str(fields["mgr_no"]), {}, at)
        if told is not None:
            yield told

    def _equipment_managers(self, fields: Fields, at: int) -> Iterator[Told]:
        for tg_no in self._districts(fields, at):
            told = self._district_manager(tg_no, at)
            if told is not None:
                yield told

    def _districts(self, fields: Fields, at: int) -> list[Any]:
        if fields.get("tg_no") is not None:
            return [fields["tg_no"]]
        for field in ("trans_no", "line_no"):
            if fields.get(field) is not None:
                return [key for key, _ in self._reference.linked("tg", field, str(fields[field]), at)]
        return []

    def _district_manager(self, tg_no: object, at: int) -> Told | None:
        row = self._reference.get("tg_manager", str(tg_no), at) if tg_no is not None else None
        if row is None or row.get("mgr_no") is None or not _is_valid(row, at):
            return None
        return self._person(str(row["mgr_no"]), row, at)

    def _person(self, no: str, row: Fields, at: int) -> Told:
        known = self._reference.get("customer_manager", no, at) or {}
        recipient = Recipient(
            no=no,
            name=_text(row.get("mgr_name") or known.get("mgr_name")),
            mobile=_text(row.get("mobile") or known.get("mobile")),
            mail=_text(known.get("mail")) or f"{no}@{self._mail_domain}",
        )
        return recipient, "mail" if row.get("sup_method") == "online" else "sms"

    def _supervisors(self, fields: Fields, at: int) -> Iterator[Told]:
        yield from self._stakeholders("unit_supervisor", fields, at)

    def _stakeholders(self, role: str, fields: Fields, at: int) -> Iterator[Told]:
        org_no = fields.get("org_no")
        for _, row in self._reference.linked("stakeholder", "org_no", str(org_no), at):
            if row.get("role") == role and row.get("person_no") is not None and _is_valid(row, at):
                no = str(row["person_no"])
                mail = _text(row.get("mail")) or f"{no}@{self._mail_domain}"
                person = Recipient(
                    no=no, name=_text(row.get("person_name")), mobile=_text(row.get("mobile")), mail=mail
                )
                yield person, "mail" if row.get("mail") or not row.get("mobile") else "sms"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _is_valid(row: Fields, at: int) -> bool:
    begin, end = row.get("valid_from"), row.get("valid_to")
    return not (isinstance(begin, int) and begin > at) and not (isinstance(end, int) and end <= at)
