"""What a call is answered for and with, and what comes of each stage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from cds_service.cdshooks.response import Response
from cds_service.clinical import Record
from cds_service.fhir.gather import Answer
from cds_service.guidelines.guideline import Evaluation
from cds_service.store import audit


class Occasion(Struct, frozen=True):
    """Under which circumstances a call is answered.

    ``on`` is the date of evaluation, and ``as_of_is_set`` says that someone chose it.
    ``no_server`` says why no FHIR server may be read, ``max_entries`` how many results one need
    may have. ``one_action``: the client applies one action of a suggestion. ``unseen`` are rules
    whose cards will not be shown. Cards of another ``arm`` than the live one ("") have uuids of
    their own. ``page`` is where the guideline is read in full, "" for nowhere.
    """

    on: date
    as_of_is_set: bool = False
    no_server: str = ""
    max_entries: int = 5_000
    one_action: bool = False
    unseen: frozenset[str] = frozenset()
    arm: str = ""
    page: str = ""


class Examined(Struct, frozen=True):
    """What was gathered for a call, what was read of it, and what the guideline says to it.

    ``durations`` are the milliseconds of each part, and ``content`` is the digest of all that it
    rests on, where that is wanted.
    """

    evidence: Mapping[str, Answer]
    record: Record
    evaluation: Evaluation[Any]
    durations: Mapping[str, float]
    content: bytes | None = None


class Consultation(Struct, frozen=True):
    """One answered call: the response, and what may be logged and kept of it (no patient data).

    ``evidence`` is what was gathered for it, and ``one_action`` how its client applies it, to be
    judged again or let go.
    """

    response: Response
    log: Mapping[str, Any] = {}
    evaluation: audit.Evaluation | None = None
    evidence: Mapping[str, Answer] = {}
    one_action: bool = False
