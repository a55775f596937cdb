"""The words of records for drugs, routes, signs, rhythms and the rest, as data by language."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct


class SubstanceNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of the cobalamins, each one word; ``unspecified`` ones leave open which it is, and so
    do ``stems``: what a word of a spelling that is in no list ends with."""

    cyanocobalamin: tuple[str, ...]
    hydroxocobalamin: tuple[str, ...]
    methylcobalamin: tuple[str, ...]
    adenosylcobalamin: tuple[str, ...]
    unspecified: tuple[str, ...]
    stems: tuple[str, ...]


class FormNames(Struct, frozen=True, forbid_unknown_fields=True):
    """What a product comes in: pieces that are counted (``tablet`` covers everything solid,
    ``ampoule`` for every container of an injection), and ``liquid`` for what is measured."""

    tablet: tuple[str, ...]
    drop: tuple[str, ...]
    spray: tuple[str, ...]
    ampoule: tuple[str, ...]
    liquid: tuple[str, ...]


class WayNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of a product's name that say how it is given."""

    oral: tuple[str, ...]
    sublingual: tuple[str, ...]
    nasal: tuple[str, ...]
    parenteral: tuple[str, ...]


class RouteNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How people write a route; ``spinal`` is into the spinal canal or the brain."""

    oral: tuple[str, ...]
    sublingual: tuple[str, ...]
    nasal: tuple[str, ...]
    intramuscular: tuple[str, ...]
    subcutaneous: tuple[str, ...]
    intravenous: tuple[str, ...]
    parenteral: tuple[str, ...]
    spinal: tuple[str, ...]


class ToldNames(Struct, frozen=True, forbid_unknown_fields=True):
    """A sign that is written in many ways: one of ``words``, alone or with one of ``of`` after it
    and at most so many words ``between``; ``either_way`` before it as well. "*" is any
    ending of a word."""

    means: Literal["neurological", "suggestive"]
    words: tuple[str, ...]
    of: tuple[str, ...] = ()
    between: int = 3
    either_way: bool = False


class SignNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of problems that are signs; a ``marker`` counts next to a word of ``screening``. Words
    that begin as ``blood`` tell of large cells or of few.

    A sign is set aside only by the words next to it: ``denied`` and ``past`` a few words before it,
    with none between that keeps them ``apart``; ``denied_after`` and ``past`` after it, and
    ``others`` (whose sign it is) and ``fever`` on either side, with nothing but ``linking`` words
    between. ``otherwise`` has the words of a sign and is none, with "*" as in ``told``. Diseases
    that are ``unrelated`` (with "*" as well) and ``plain`` words next to them are not a sign.
    """

    neurological: tuple[str, ...]
    inborn: tuple[str, ...]
    malabsorption: tuple[str, ...]
    preterm: tuple[str, ...]
    remethylation: tuple[str, ...]
    bleeding: tuple[str, ...]
    suggestive: tuple[str, ...]
    blood: tuple[str, ...]
    weak: tuple[str, ...]
    screening: tuple[str, ...]
    marker: tuple[str, ...]
    denied: tuple[str, ...]
    denied_after: tuple[str, ...]
    past: tuple[str, ...]
    others: tuple[str, ...]
    fever: tuple[str, ...]
    linking: tuple[str, ...]
    unrelated: tuple[str, ...]
    plain: tuple[str, ...]
    otherwise: tuple[str, ...]
    apart: tuple[str, ...]
    told: tuple[ToldNames, ...]


class ScreeningNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of results of the newborn screening, besides ``signs.screening`` and ``signs.marker``:
    ``words`` of the screening, and ``own`` of what only it measures. ``positive`` and ``negative``
    are answers, a ``false_alarm`` is neither, and it may be of ``others`` than the child."""

    words: tuple[str, ...]
    own: tuple[str, ...]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    false_alarm: tuple[str, ...]
    others: tuple[str, ...]


class MotherNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How the mother is named, and what of hers may leave her without vitamin B12: ``lack`` next to
    a name of vitamin B12 does, a diet also where it is that of her ``household``. ``medicines`` and
    a vegetarian diet are a reason to measure, and none to prevent what an adequate level denies.
    ``ended`` says that a diet is over, with no more than ``around_end`` where that is a statement
    of its own, ``denied`` that it never was; ``turns`` begin the next statement, and ``mixed`` is a
    diet with food of animals."""

    words: tuple[str, ...]
    vegan: tuple[str, ...]
    vegetarian: tuple[str, ...]
    household: tuple[str, ...]
    causes: tuple[str, ...]
    medicines: tuple[str, ...]
    lack: tuple[str, ...]
    ended: tuple[str, ...]
    around_end: tuple[str, ...]
    denied: tuple[str, ...]
    turns: tuple[str, ...]
    mixed: tuple[str, ...]


class FeedingNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of an answer on feeding: of breast milk, of formula, and that something ``ended``."""

    breast: tuple[str, ...]
    formula: tuple[str, ...]
    ended: tuple[str, ...]


class WrittenLanguage(Struct, frozen=True, forbid_unknown_fields=True):
    """A language whose names of drugs are read: ``letters`` is its alphabet, small and without
    accents, "" where its script is read whole. ``false_friends`` look or sound like a name of
    vitamin B12 or folic acid and mean something else; in a script without blanks they may hold
    one."""

    letters: str = ""
    false_friends: tuple[str, ...] = ()


class RhythmNames(Struct, frozen=True, forbid_unknown_fields=True):
    """What so many times in every so many days is called; 0 days for once in all."""

    times: Decimal
    days: Decimal
    words: tuple[str, ...]


class CountedNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How people count doses: ``times`` next to a number, with a day or a week after it ("3 times
    a day") or before it ("1日3回"); ``hours`` after "every" and a number, ``hourly`` after the
    number alone; ``a_day`` after the number alone ("2 dd"); ``again`` between a number of hours and
    itself; ``parts`` before the number of doses of a day."""

    times: tuple[str, ...]
    day_before: tuple[str, ...]
    day_after: tuple[str, ...]
    week_before: tuple[str, ...]
    week_after: tuple[str, ...]
    hours: tuple[str, ...]
    hourly: tuple[str, ...]
    a_day: tuple[str, ...]
    again: tuple[str, ...]
    parts: tuple[str, ...]


class ScheduleNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How people write how often and how long. ``every`` comes before a number of days, ``then``
    before a later phase; ``lasting_before`` and ``lasting_after`` come next to a duration.
    ``apart`` makes a clause one of something else than a dose; ``once`` at its end means one dose
    where nothing else says how often, neither words nor structure."""

    as_needed: tuple[str, ...]
    then: tuple[str, ...]
    every: tuple[str, ...]
    lasting_before: tuple[str, ...]
    lasting_after: tuple[str, ...]
    apart: tuple[str, ...]
    once: tuple[str, ...]
    day: tuple[str, ...]
    week: tuple[str, ...]
    month: tuple[str, ...]
    numbers: Mapping[str, tuple[str, ...]]
    counted: CountedNames
    rhythms: tuple[RhythmNames, ...]

    def __hash__(self) -> int:
        return hash(self.rhythms)


class AlikeNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of words that brands with vitamin B12 often have, ``within`` a word or at its end."""

    within: tuple[str, ...]
    ending: tuple[str, ...]


class Names(Struct, frozen=True, forbid_unknown_fields=True):
    """Names as people write them, found as whole words: small letters, without accents, "B 12"
    and "B-12" as "b12".

    ``companions`` are other active substances, ``combination`` names of medicines that have B12
    among others, ``multivitamin`` those of all vitamins, ``no_medicine`` words that make a name
    with B12 something else (a test, a strain), ``plain`` words that name no substance,
    ``preservative_free`` phrases that say so,
    ``negations`` words that turn round what is stated of a route, ``then`` words that begin what
    follows. ``crushing`` words that
    make a solid form fit. ``antidote`` names the antidote of cyanide, ``antidote_contents`` what
    is in it. In scripts without blanks a name is found within a word. ``languages`` are those in
    which a name that is none of these is another drug; in any other it may be anything. So may one
    with a part of ``alike``. ``metabolites`` are names of results.
    """

    b12: SubstanceNames
    companions: tuple[str, ...]
    combination: tuple[str, ...]
    multivitamin: tuple[str, ...]
    folic_acid: tuple[str, ...]
    cobalt: tuple[str, ...]
    benzyl_alcohol: tuple[str, ...]
    reaction: tuple[str, ...]
    no_allergy: tuple[str, ...]
    crushing: tuple[str, ...]
    antidote: tuple[str, ...]
    antidote_contents: tuple[str, ...]
    no_medicine: tuple[str, ...]
    plain: tuple[str, ...]
    preservative_free: tuple[str, ...]
    negations: tuple[str, ...]
    then: tuple[str, ...]
    languages: Mapping[str, WrittenLanguage]
    alike: AlikeNames
    forms: FormNames
    ways: WayNames
    routes: RouteNames
    schedule: ScheduleNames
    signs: SignNames
    screening: ScreeningNames
    mother: MotherNames
    feeding: FeedingNames
    anticoagulants: tuple[str, ...]
    unguents: tuple[str, ...]
    nitrous_oxide: tuple[str, ...]
    metabolites: tuple[str, ...]
    leber: tuple[str, ...]
