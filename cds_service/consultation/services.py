"""The services that can be called, each with the guideline behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from cds_service.clinical import UNITS, Code, CodeMap, Need
from cds_service.consultation.cards import Stationery
from cds_service.fhir import orders
from cds_service.fhir.code_map import read_code_map
from cds_service.guidelines.codelists import check_meanings
from cds_service.guidelines.guideline import Guideline, Known
from cds_service.guidelines.overrides import read_changes
from cds_service.guidelines.registry import GUIDELINES, UNNAMED
from cds_service.language import Language, house


class Service(Struct, frozen=True):
    """One CDS Hooks service as discovery shows it, with the guideline behind it."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    needs: tuple[Need, ...]
    guideline: Guideline
    stationery: Stationery

    @property
    def language(self) -> Language:
        """In which it answers: the service's own texts and the guideline's."""
        return self.stationery.language


def load_services(
    overrides: Path | None = None,
    guidelines: Sequence[Known] = GUIDELINES,
    code_map: Path | None = None,
) -> tuple[Service, ...]:
    """Every service of ``guidelines``, each loaded with a site's ``overrides`` and what its own
    codes mean, and checked.

    The orders of a guideline as it ships are checked by its tests; a site's changes to them are
    checked here. Raises `GuidelineError` with the file, the name and the cure.
    """
    changes = read_changes(overrides, [one.id for one in guidelines], UNNAMED)
    local = read_code_map(code_map) if code_map is not None else CodeMap()
    services: list[Service] = []
    for known in guidelines:
        changed = changes.get(known.id)
        g = known.load(changed, local)
        if g.local and changed is not None:
            with changed.named():
                check_orders(g)
        stationery = stationery_of(g)
        services += (
            Service(
                f"{g.wording.about.id}-{offer.hook}",
                offer.hook,
                offer.title,
                offer.description,
                offer.usage_requirements,
                g.needs,
                g,
                stationery,
            )
            for offer in g.offers
        )
    check_meanings(local, lambda code: lists_of(services, code))
    return tuple(services)


def guidelines_of(services: Sequence[Service]) -> tuple[Guideline, ...]:
    """The guidelines behind ``services``, each once."""
    return tuple({one.guideline.wording.about.id: one.guideline for one in services}.values())


def lists_of(services: Sequence[Service], code: Code) -> tuple[str, ...]:
    """The code lists that a code is on, of whichever guideline."""
    return tuple([name for g in guidelines_of(services) for name in g.lists_of(code)])


def offered_reasons(services: Sequence[Service]) -> dict[tuple[str, str], str]:
    """The reasons that cards offer for an override, by system and code."""
    return {
        (one.system, one.code): one.display
        for g in guidelines_of(services)
        for one in g.wording.override_reasons
    }


def services_of(services: Sequence[Service], g: Guideline) -> tuple[Service, ...]:
    """Those of ``services`` that belong to one guideline."""
    return tuple([one for one in services if one.guideline.wording.about.id == g.wording.about.id])


def stationery_of(g: Guideline) -> Stationery:
    """The guideline's words made ready, with the service's own texts."""
    language = house.language().joined(g.texts, g.wording.about.id)
    return Stationery(g.wording, language, frozenset([*g.own_words(), *UNITS]))


def check_orders(g: Guideline) -> int:
    """Builds one of every order the guideline can suggest as FHIR R4; returns how many."""
    specimens = list(g.specimens())
    orders.check(specimens, stationery_of(g).language)
    return len(specimens)


def page_of(service: Service, services: Sequence[Service], base: str) -> str:
    """The address under ``base`` where the guideline of ``service`` is read in full; that of the
    first has the plain one."""
    name = service.guideline.wording.about.id
    first = services[0].guideline.wording.about.id
    return f"{base}/guideline" + (f"?guideline={name}" if name != first else "")
