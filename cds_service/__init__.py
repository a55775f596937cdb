"""An open CDS Hooks service for vitamin B12 deficiency in children under two years."""

from hashlib import sha1

__version__ = "0.1.0"

#: The program's own name, and what it is. Nothing else outside ``guidelines/`` names the matter.
PROGRAM = "b12-cds-service"
ABOUT = "CDS Hooks service for vitamin B12 deficiency in children under two years"

#: The beginning of the names under which our extensions of CDS Hooks go over the wire.
EXTENSIONS = f"io.github.{PROGRAM}"


def named_uuid(namespace: bytes, name: bytes) -> str:
    """The version 5 UUID (RFC 4122) of ``name`` in a namespace of 16 bytes: the same from every
    worker. As `uuid.uuid5` makes it, in a third of the time."""
    text = sha1(namespace + name, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


#: The digit of a UUID that names its variant in its first two bits, by the digit that was there.
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
