"""`Contact`: the part of an address book's entry that the pages show and change."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from indico.service.fields import Email

_Line = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]


class Contact(BaseModel):
    """Name, first email and first phone number of an entry. All else in the entry stays."""

    name: Annotated[_Line, StringConstraints(min_length=1)]
    email: Email | None = None
    phone: _Line | None = None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Contact:
        """Return the contact in an entry, whose values are not checked again."""
        emails, phones = (entry.get(name) or [{}] for name in ("emails", "phone_numbers"))
        return cls.model_construct(
            name=entry.get("name") or entry.get("full_name") or "",
            email=emails[0].get("email"),
            phone=str(phones[0].get("local_number") or "") or None,
        )

    def applied_to(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the entry with this contact in it."""
        named_in_full = entry.get("full_name") and not entry.get("name")
        return {
            **entry,
            "full_name" if named_in_full else "name": self.name,
            **_first(entry, "emails", "email", self.email),
            **_first(entry, "phone_numbers", "local_number", self.phone),
        }


def _first(entry: dict[str, Any], name: str, key: str, value: str | None) -> dict[str, Any]:
    """Return the list `name` with `value` in its first element; without a value, less its `key`."""
    first, *others = entry.get(name) or [{}]
    rest = {k: v for k, v in first.items() if k != key}
    changed = {**rest, key: value} if value else rest
    elements = [changed, *others] if changed else others
    return {name: elements} if elements or name in entry else {}
