"""Encrypts what clients wrote as they liked before it is kept, where the operator has a key.

All free words of an item of feedback become one text, encrypted with the first key (Fernet: AES-128
and HMAC-SHA-256, of the package cryptography), and `SEALED` takes their places. Any of the keys
reads it again. What was kept before there was a key stays as it is, until it is sealed too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.errors import SettingsError
from cds_service.store.audit import Offered, as_offered

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

#: What is kept in the place of words that are encrypted.
SEALED = "(encrypted)"
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
_SETTING = "CDS_FREE_TEXT_KEY_FILE"


class Seals:
    """The keys of an operator, the first for what is new. Without keys nothing is encrypted."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"Seals({len(self._keys)} keys)"

    @cached_property
    def _all(self) -> MultiFernet:
        # It takes a while to load, and few need it.
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(key) for key in self._keys])

    def name(self, content: bytes) -> str:
        """The same for the same content. With keys, no one without them can try what it was."""
        if not self._keys:
            return sha256(content).hexdigest()
        return digest(self._keys[-1], content, "sha256").hex()

    def seal(self, item: Feedback, offered: Offered) -> tuple[Feedback, str | None]:
        """What is kept of an item in the clear, and its free words, encrypted."""
        if not self._keys:
            return item, None
        kept = replace(
            item,
            card=_or_sealed(item.card),
            accepted=tuple(_or_sealed(one) for one in item.accepted),
            reasons=tuple(_offered_or_sealed(one, offered) for one in item.reasons),
            comment=item.comment and SEALED,
            extension=item.extension and SEALED,
        )
        if kept == item:
            return item, None
        return kept, self._all.encrypt(msgspec.json.encode(item)).decode()

    def open(self, sealed: str) -> Feedback:
        """The item as it was sent; `SettingsError` where none of the keys is the right one."""
        if not self._keys:
            raise SettingsError(
                _SETTING, "it is not set, and comments were encrypted", "Name the file of keys."
            )
        from cryptography.fernet import InvalidToken

        try:
            return msgspec.json.decode(self._all.decrypt(sealed), type=Feedback)
        except InvalidToken:
            raise SettingsError(
                _SETTING,
                "none of its keys opens a comment that is kept",
                "Add the key that was in force then, after the others. Nothing is lost.",
            ) from None

    def opened(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """A kept item of feedback with the words of its client."""
        if not item["sealed"]:
            return {**item, "sealed": None}
        said = self.open(item["sealed"])
        return {
            **item,
            "sealed": None,
            "card": said.card,
            "comment": said.comment or None,
            "extension": said.extension or None,
            "accepted": list(said.accepted),
            "reasons": [
                {**kept, "system": one.system, "code": one.code, "display": one.display}
                for kept, one in zip(item["reasons"], said.reasons, strict=True)
            ],
        }

    def sealed_again(self, sealed: str) -> str | None:
        """The same words under the first key, ``None`` if they are already."""
        self.open(sealed)
        from cryptography.fernet import Fernet, InvalidToken

        try:
            Fernet(self._keys[0]).decrypt(sealed)
        except InvalidToken:
            return self._all.rotate(sealed).decode()
        return None


def _or_sealed(name: str) -> str:
    return name if _is_uuid(name) else SEALED


def _offered_or_sealed(reason: Reason, offered: Offered) -> Reason:
    display = as_offered(reason.system, reason.code, offered)
    if display is None:
        return Reason("", "", SEALED)
    return reason if reason.display in ("", display) else replace(reason, display=SEALED)
