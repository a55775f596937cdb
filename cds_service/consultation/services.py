"""The services that can be called, each with the guideline behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from cds_service.cdshooks.feedback import CATEGORIES, STANDARD_REASONS
from cds_service.clinical import UNITS, Code, CodeMap, Need
from cds_service.consultation.cards import Stationery
from cds_service.fhir import orders
from cds_service.fhir.code_map import read_code_map
from cds_service.guidelines.codelists import check_meanings
from cds_service.guidelines.guideline import Guideline, Known, Offer
from cds_service.guidelines.overrides import read_changes
from cds_service.guidelines.registry import GUIDELINES, UNNAMED
from cds_service.language import Language, house
from cds_service.language.catalogues import ORIGINAL, languages_in


class Service(Struct, frozen=True):
    """One CDS Hooks service as discovery shows it, with the guideline behind it; ``others`` are the
    same in other languages."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    needs: tuple[Need, ...]
    guideline: Guideline
    stationery: Stationery
    others: Mapping[str, Service] = {}

    def in_language(self, tag: str) -> Service:
        """The same service in another language, where it was loaded in it."""
        return self.others.get(tag, self)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it was loaded in, its own first."""
        return (self.language.tag, *self.others)

    @property
    def language(self) -> Language:
        """In which it answers: the service's own texts and the guideline's."""
        return self.stationery.language


def load_services(
    overrides: Path | None = None,
    guidelines: Sequence[Known] = GUIDELINES,
    code_map: Path | None = None,
    languages: Sequence[str] = (ORIGINAL,),
) -> tuple[Service, ...]:
    """Every service of ``guidelines``, each loaded with a site's ``overrides`` and what its own
    codes mean, and checked; in the first of ``languages``, and in the others too.

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
        own = _own_words(g)
        stationeries = [_stationery(g, tag, own) for tag in _spoken_by(g, languages)]
        for offer in g.offers:
            first, *others = [_service(g, offer, one) for one in stationeries]
            beside = {one.language.tag: one for one in others}
            services.append(structs.replace(first, others=beside))
    check_meanings(local, lambda code: lists_of(services, code))
    return tuple(services)


def _spoken_by(g: Guideline, languages: Sequence[str]) -> list[str]:
    """Those of ``languages`` that a guideline has a catalogue for: one that has none for a language
    of the service answers in its own. A language that the service does not know is left in, to be
    refused by name."""
    known = house.languages()
    spoken = [tag for tag in languages if tag in languages_of(g) or tag not in known]
    return spoken or [ORIGINAL]


def _service(g: Guideline, offer: Offer, stationery: Stationery) -> Service:
    described = _described(offer, stationery.language)
    id_ = f"{g.wording.about.id}-{offer.hook}"
    return Service(id_, offer.hook, *described, g.needs, g, stationery)


def _described(offer: Offer, language: Language) -> tuple[str, str, str]:
    """An offer in the words of discovery."""
    title, description, requirements = [
        language.texts.get(f"offers.{offer.hook}.{name}", "")
        for name in ("title", "description", "usage_requirements")
    ]
    return title, description, requirements


def guidelines_of(services: Sequence[Service]) -> tuple[Guideline, ...]:
    """The guidelines behind ``services``, each once."""
    return tuple({one.guideline.wording.about.id: one.guideline for one in services}.values())


def lists_of(services: Sequence[Service], code: Code) -> tuple[str, ...]:
    """The code lists that a code is on, of whichever guideline."""
    return tuple([name for g in guidelines_of(services) for name in g.lists_of(code)])


def offered_reasons(services: Sequence[Service]) -> dict[tuple[str, str], str]:
    """The reasons that cards offer for an override, by system and code, and those of the standard,
    which clients may add; without words where no card has them."""
    return {**dict.fromkeys(reason_categories(()), ""), **_reasons(services, "display")}


def reason_categories(services: Sequence[Service]) -> dict[tuple[str, str], str]:
    """The standard's categories of the same reasons."""
    standard = {
        (STANDARD_REASONS, code): category
        for category, codes in CATEGORIES.items()
        for code in (category, *codes)
    }
    return {**standard, **_reasons(services, "category")}


def _reasons(services: Sequence[Service], member: str) -> dict[tuple[str, str], str]:
    return {
        (one.system, one.code): getattr(one, member)
        for g in guidelines_of(services)
        for one in g.wording.override_reasons
    }


def services_of(services: Sequence[Service], g: Guideline) -> tuple[Service, ...]:
    """Those of ``services`` that belong to one guideline."""
    return tuple([one for one in services if one.guideline.wording.about.id == g.wording.about.id])


def stationery_of(g: Guideline, tag: str = ORIGINAL) -> Stationery:
    """The guideline's words in one language made ready, with the service's own texts."""
    return _stationery(g, tag, _own_words(g))


def _own_words(g: Guideline) -> frozenset[str]:
    """What a text may be given that is of no record, and the "-" of a value that is not there."""
    return frozenset([*g.own_words(), *UNITS, "-"])


def _stationery(g: Guideline, tag: str, own: frozenset[str]) -> Stationery:
    if tag == ORIGINAL:
        return Stationery(g.wording, house.language().joined(g.texts, g.wording.about.id), own)
    translation = g.translation(tag)
    texts = translation.in_force(g.texts)
    language = house.language(tag).joined(texts, g.wording.about.id, g.texts)
    reviewed = all(one.about.reviewer for one in (translation, house.translation(tag)))
    return Stationery(g.wording, language, own, reviewed=reviewed)


def languages_of(g: Guideline) -> tuple[str, ...]:
    """The languages it has a catalogue for, and the service too, the original first."""
    of_the_service = house.languages()
    return tuple([tag for tag in languages_in(g.catalogues) if tag in of_the_service])


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
