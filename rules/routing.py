"""Who is told: from roles in a rule to people, by the district of the instance (domain.md, P08).

Fallbacks in order: the manager of the application's district, the manager that the application names, the
supervisor of its unit; nobody found gives a notice over channel `none`, which is recorded and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from rules.message_kinds import KINDS
from rules.reference import Fields, Reference
from schemas import Channel, Recipient

Told = tuple[Recipient, Channel]
ROLES = ("manager", "equipment_manager", "unit_supervisor")
"""The roles that a rule may name."""
CUSTOMER, INVOLVED, SUBSCRIBER = "customer", "involved", "subscriber"
MESSAGE_ROLES = (*ROLES, CUSTOMER, INVOLVED, SUBSCRIBER, "meter_reader")
"""The roles that a message may name: `involved` are all who are named for the application."""
SUBSCRIPTION = "sms_subscription"
"""Entity of what customers ordered or declined, by mobile, kind and account (`*`: any)."""


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

    def inform(self, roles: tuple[str, ...], code: str, fields: Fields, at: int) -> list[Told]:
        """Give who gets a message of a kind, each once; a customer without a mobile is told over no channel."""
        told = self.tell(tuple(role for role in roles if role not in {CUSTOMER, INVOLVED, SUBSCRIBER}), fields, at)
        found = {each[0].no: each for each in told}
        if CUSTOMER in roles and not self._has_declined(code, fields, at):
            customer = _customer(fields)
            found.setdefault(customer[0].no, customer)
        if SUBSCRIBER in roles:
            for subscriber in self._subscribers(code, fields, at):
                found.setdefault(subscriber[0].no, subscriber)
        if INVOLVED in roles and fields.get("app_no") is not None:
            rows = self._reference.linked("stakeholder", "app_no", str(fields["app_no"]), at)
            for person in self._people([row for _, row in rows], at):
                found.setdefault(person[0].no, person)
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

    def having(self, role: str, at: int) -> list[tuple[str, Recipient]]:
        """Give all who have a role, each with the unit that they have it in; by unit and number."""
        found = [
            (str(row["org_no"]), _stakeholder(row, self._mail_domain))
            for _, row in self._reference.linked("stakeholder", "role", role, at)
            if row.get("org_no") is not None and row.get("person_no") is not None and _is_valid(row, at)
        ]
        return sorted(found, key=lambda each: (each[0], each[1].no))

    def person(self, no: str, at: int) -> Told:
        """Give a person by number, with what is known of them: as a customer manager, else as a stakeholder."""
        if self._reference.get("customer_manager", no, at) is None:
            rows = self._reference.linked("stakeholder", "person_no", no, at)
            for told in self._people([row for _, row in rows], at):
                return told
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
        rows = self._reference.linked("stakeholder", "org_no", str(fields.get("org_no")), at)
        return self._people([row for _, row in rows if row.get("role") == role], at)

    def _people(self, rows: Iterable[Fields], at: int) -> Iterator[Told]:
        for row in rows:
            if row.get("person_no") is not None and _is_valid(row, at):
                person = _stakeholder(row, self._mail_domain)
                yield person, "mail" if row.get("mail") or not row.get("mobile") else "sms"

    def _subscribers(self, code: str, fields: Fields, at: int) -> Iterator[Told]:
        """Give the mobiles that ordered a kind of message for the instance's account."""
        for _, row in self._reference.linked(SUBSCRIPTION, "cons_no", str(fields.get("cons_no")), at):
            if row.get("kind") == code and row.get("state") == "on" and not self._has_declined(code, row, at):
                name = hashlib.blake2b(str(row.get("sub_no")).encode(), digest_size=6).hexdigest()
                yield Recipient(no=f"sub:{name}", mobile=_mobile(row)), "sms"  # its own name is the mobile

    def _has_declined(self, code: str, fields: Fields, at: int) -> bool:
        kind, mobile = KINDS.get(code), _mobile(fields)
        if kind is None or not kind.may_be_declined or mobile is None:
            return False
        said = self._reference.get(SUBSCRIPTION, f"{mobile}|*|*", at)
        return said is not None and said.get("state") == "off"


def _customer(fields: Fields) -> Told:
    """Give the customer whom an instance's own row names."""
    mobile = _mobile(fields)
    no = f"cons:{fields.get('cons_no') or fields.get('app_no') or ''}"
    return Recipient(no=no, name=_text(fields.get("cust_name")), mobile=mobile), "sms" if mobile else "none"


def _mobile(fields: Fields) -> str | None:
    return _text(fields.get("mobile") or fields.get("cust_mobile"))


def _stakeholder(row: Fields, mail_domain: str) -> Recipient:
    no = str(row["person_no"])
    mail = _text(row.get("mail")) or f"{no}@{mail_domain}"
    return Recipient(no=no, name=_text(row.get("person_name")), mobile=_text(row.get("mobile")), mail=mail)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _is_valid(row: Fields, at: int) -> bool:
    begin, end = row.get("valid_from"), row.get("valid_to")
    return not (isinstance(begin, int) and begin > at) and not (isinstance(end, int) and end <= at)
