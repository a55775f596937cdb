"""Table ORD: what to say of the orders being written.

Of an order of vitamin B12 the table asks nine questions, each with rows of its own, so that one
answer never hides another: does it harm this child, does it go by the right way, is it too much,
is it too little, is there a reason for it, may it be injected there, does its preservative harm,
is it there twice, and was everything understood. The tenth is whether there is anything to say,
the last what the orders lack as a whole.

A rule of several rows has a card for each; what follows from a row is an `Answer`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.drugs import (
    BY_MOUTH,
    INJECTED,
    Form,
    Kind,
    Substance,
    Way,
)
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.cause import Cause
from cds_service.guidelines.b12_under_two.tables.severity import Severity
from cds_service.guidelines.b12_under_two.tables.status import StatusName
from cds_service.guidelines.engine import Indicator, Limit
from cds_service.guidelines.tables import (
    Condition,
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    includes,
    is_one_of,
    known,
    meets,
    misses,
    none,
    not_,
    some,
    unknown,
)

#: How an order is put right: taken out of the basket; given another product, another dose, or
#: both ("or removed" where the product cannot be changed); given by another route; or, where it is
#: the only one, offered as the whole course, or another dose: then it is not wrong as it is.
Correction = Literal[
    "none", "removed", "product", "dose", "product and dose", "product and dose, or removed",
    "under the skin", "into the muscle", "course", "dose, offered",
]  # fmt: skip
Check = Literal["one month", "three months"]
Silence = Literal["agrees", "treated already", "another order is written", "none is called for"]


class Answer(Struct, frozen=True):
    """What follows from a row that has a card.

    ``indicator`` is what the card has at the least. ``refuses`` says that it asks not to give the
    order at all, so that nothing goes with it; ``shows_level`` that it rests on the level, and
    ``shows_course`` that the card names the regimen that the order falls short of.
    """

    card: str
    correction: Correction = "none"
    indicator: Indicator | None = None
    refuses: bool = False
    shows_level: bool = False
    shows_course: bool = False

    @property
    def corrects(self) -> bool:
        """Whether the order is wrong as it is."""
        return self.correction not in ("none", "course", "dose, offered")


#: What follows from DUP-02, which is asked before ORD-06: the order is one too many.
REPEATED = Answer("ORD-06", "removed", refuses=True)


class OrderFacts(Struct, frozen=True):
    """One order being written, and what of the child bears on it.

    ``ways`` are all it may go by; ``crushed`` says that its words ask to crush or disperse it.
    Amounts are micrograms: ``single`` is the largest single dose, ``day`` the most on one day,
    ``average`` what is given a day on average; each ``None`` where it is not known. ``share`` is
    what the first two weeks give of the recommended regimen, known only of what begins a
    treatment, ``share_if_signs`` of the one for neurological signs, where these are in words
    only and it is enough without them; ``published`` are the schedules that it follows, and
    ``weekly_course`` says that it is the formulary's of weekly injections, ``specialist_course``
    one published for the child's inborn error. ``contradicts`` says that its words state another
    dose, rhythm, route or length than its structure, or that its phases have no sequence,
    ``as_needed`` that it is written so, and ``in_words_alone`` is the largest amount that they
    state where no dose can be read.
    ``unclear`` says what could not be understood
    of it, ``forbids`` that it orders not to give something, ``forbidden`` names the orders not to
    give it, ``gaps`` what is needed to judge it and is not there. ``repeated`` names the same drug
    ordered once more by the same way, ``elsewhere`` by another: words or messages, which rows only
    ask whether there are.
    ``spinal`` says that it is to go into the spinal canal or the brain, ``astray`` that a route is
    stated which is not known here, ``foreign`` that it is written for another patient, ``untimely``
    that all of it is over, or that a treatment begins with it too late, ``unseen`` that, as
    it is being written, it is too little unless more was given, which cannot be seen.
    ``may_bleed`` and ``preservative_harms`` are known only of what is injected. ``frequent`` says
    that it is injected daily or on alternate days, ``frequent_days`` for how long, unknown without
    an end; ``weekly_days`` is the same of injections that are about ``weekly``: less often, and as
    often as in a first phase. ``unfollowed`` says that it ends with its first phase, and that
    nothing says what follows. ``worded`` are words without a code that may be such a sign,
    malabsorption or an inborn error, ``worded_inborn`` those of the last;
    ``unexplained`` says that the homocysteine is as high as in one, whatever explains it.
    ``indications`` are the signs, causes and deficiencies on record, ``treated`` says that vitamin
    B12 is ordered or given already, ``again`` that it begins a course of injections that was given
    whole lately.
    """

    kind: Kind = "b12"
    substance: Substance = ""
    preservative_free: bool = False
    form: Form = ""
    crushed: bool = False
    ways: tuple[Way, ...] = ()
    single: Decimal | None = None
    day: Decimal | None = None
    average: Decimal | None = None
    share: Decimal | None = None
    share_if_signs: Decimal | None = None
    published: tuple[str, ...] = ()
    frequent: bool = False
    frequent_days: Decimal | None = None
    weekly: bool = False
    weekly_days: Decimal | None = None
    unfollowed: bool = False
    weekly_course: bool = False
    specialist_course: bool = False
    per_kg_in_mg: bool = False
    needs_weight: bool = False
    contradicts: bool = False
    as_needed: bool = False
    spinal: bool = False
    astray: bool = False
    foreign: bool = False
    untimely: bool = False
    unseen: bool = False
    forbids: bool = False
    forbidden: tuple[str, ...] = ()
    in_words_alone: Decimal | None = None
    unclear: tuple[Any, ...] = ()
    repeated: tuple[Any, ...] = ()
    elsewhere: tuple[Any, ...] = ()
    status: StatusName = "unknown"
    deficient: bool = False
    severity: Severity | None = None
    cause: Cause = "unknown"
    signs: tuple[str, ...] = ()
    worded: tuple[str, ...] = ()
    indications: tuple[Any, ...] = ()
    treated: bool = False
    again: bool = False
    of_the_course: Decimal | None = None
    reactions: tuple[str, ...] = ()
    leber: tuple[str, ...] = ()
    suspected: bool = False
    worded_inborn: tuple[str, ...] = ()
    preservative_reactions: tuple[str, ...] = ()
    unexplained: bool = False
    possible_reactions: tuple[str, ...] = ()
    may_bleed: bool | None = None
    preservative_harms: bool | None = None
    gaps: tuple[Any, ...] = ()


class AntidoteFacts(Struct, frozen=True):
    """Whether hydroxocobalamin is ordered, or was given, as the antidote of cyanide.

    ``kit`` says that its code or name is the antidote's; ``ways`` are all it may go by. ``low`` to
    ``high`` are milligrams per kilogram of one dose, ``strength`` milligrams in one millilitre,
    each ``None`` where it is not known. ``once`` says that no second dose is ordered.
    """

    kit: bool = False
    substance: Substance = ""
    ways: tuple[Way, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    strength: Decimal | None = None
    once: bool = False


class SilenceFacts(Struct, frozen=True):
    """What was stated of one order, or of the basket, by the cards; ``checked`` says that there was
    vitamin B12 to check."""

    said: tuple[str, ...] = ()
    checked: bool = False
    treated: bool = False
    deficient: bool = False


class BasketFacts(Struct, frozen=True):
    """The orders being written as a whole, and what of the child bears on them.

    ``b12`` says that vitamin B12 is among them, ``folic_acid`` that folic acid is selected,
    ``combined`` that it is among what has vitamin B12 in a dose that is not read,
    ``refused`` that a card asks not to give what is ordered. ``lacking`` are the checks after it
    for which no one has ordered a level, ``unsampled`` the tests that its first dose would spoil
    and that no one has measured lately or ordered; ``ungraded`` says that a blood count is among
    them, without which no one knows how severe a deficiency is. ``measured_first`` says that the
    chart asks for tests and not for a treatment, ``alarming`` that it does so with a warning.
    ``macrocytic`` and ``two_lines_low`` tell of the blood, ``worded`` are words without a code that
    tell of it or of the nerves.
    ``average`` is how many micrograms a day the first order of vitamin B12 gives, ``None`` where it
    is not known. ``nitrous_oxide`` names what is ordered or planned of it, ``poisoned_by_it`` the
    recorded diseases in which it does lasting harm. ``age_rule`` is the row of the age table.
    """

    b12: bool = False
    folic_acid: bool = False
    combined: bool = False
    refused: bool = False
    lacking: tuple[Check, ...] = ()
    unsampled: tuple[Any, ...] = ()
    ungraded: bool = False
    measured_first: bool = False
    alarming: bool = False
    average: Decimal | None = None
    treated: bool = False
    deficient: bool = False
    status: StatusName = "unknown"
    signs: tuple[str, ...] = ()
    worded: tuple[str, ...] = ()
    severity: Severity | None = None
    macrocytic: bool = False
    two_lines_low: bool = False
    nitrous_oxide: tuple[Any, ...] = ()
    poisoned_by_it: tuple[str, ...] = ()
    age_rule: str = ""


def antidote_table(limits: Limits, words: TableWords) -> Table[AntidoteFacts, Answer]:
    """A kit without a route goes into the vein; by another way it is not an antidote."""
    f = AntidoteFacts
    another_way = includes(f.ways, *BY_MOUTH, "intramuscular", "subcutaneous")
    return Table.of(
        "order",
        AntidoteFacts,
        (
            Row("ORD-18", all_of(f.kit, not_(another_way)), Answer("ORD-18")),
            Row(
                "ORD-18",
                all_of(
                    is_one_of(f.substance, "hydroxocobalamin"),
                    includes(f.ways, "intravenous"),
                    not_(another_way),
                    f.once,
                    meets(f.strength, limits.antidote_strength),
                    meets(f.low, limits.antidote_least),
                    meets(f.high, limits.antidote_most),
                ),
                Answer("ORD-18"),
                part="dose",
            ),
        ),
        words,
        first=True,
        complete=False,
    )


def danger_table(words: TableWords) -> Table[OrderFacts, Answer]:
    """After a reaction no cobalamin is given, so that which one it is no longer matters."""
    f = OrderFacts
    cyanocobalamin = all_of(
        is_one_of(f.kind, "b12", "combination"), is_one_of(f.substance, "", "cyanocobalamin")
    )
    return Table.of(
        "order",
        OrderFacts,
        (
            Row(
                "ORD-10",
                some(f.reactions),
                Answer("ORD-10.allergy", "removed", refuses=True),
                part="allergy",
            ),
            Row(
                "ORD-10",
                all_of(none(f.reactions), some(f.possible_reactions)),
                Answer("ORD-10.possible"),
                part="possible",
            ),
            Row(
                "ORD-10",
                all_of(none(f.reactions), cyanocobalamin, some(f.leber)),
                Answer("ORD-10.leber", "product and dose, or removed"),
                part="leber",
            ),
            Row(
                "ORD-10",
                all_of(
                    none(f.reactions),
                    cyanocobalamin,
                    is_one_of(f.kind, "b12"),
                    is_one_of(f.cause, "inborn"),
                ),
                Answer("ORD-10.inborn", "removed", refuses=True),
                part="inborn",
            ),
            Row(
                "ORD-10",
                all_of(none(f.reactions), cyanocobalamin, is_one_of(f.kind, "b12"), f.suspected),
                Answer("ORD-10.suspected", "product and dose, or removed", refuses=True),
                part="suspected",
            ),
            Row(
                "ORD-10",
                all_of(
                    none(f.reactions),
                    cyanocobalamin,
                    is_one_of(f.kind, "b12"),
                    some(f.worded_inborn),
                    not_(is_one_of(f.cause, "inborn")),
                    not_(f.suspected),
                ),
                Answer("ORD-10.worded"),
                part="worded",
            ),
            Row(
                "ORD-10",
                all_of(
                    none(f.reactions),
                    cyanocobalamin,
                    is_one_of(f.kind, "b12"),
                    f.unexplained,
                    none(f.worded_inborn),
                    not_(is_one_of(f.cause, "inborn")),
                    not_(f.suspected),
                ),
                Answer("ORD-10.homocysteine"),
                part="homocysteine",
            ),
        ),
        words,
        first=False,
    )


def way_table(words: TableWords) -> Table[OrderFacts, Answer]:
    """A sign of the nerves is explained by nothing else than a level known to be adequate; next to
    an adequate one the chart measures first, and ORD-22 does so too."""
    f = OrderFacts
    by_mouth = includes(f.ways, *BY_MOUTH)
    unproven = all_of(
        is_one_of(f.status, "adequate with signs"),
        none(f.treated),
        none(f.gaps),
    )
    adequate = is_one_of(f.status, "adequate", "probably adequate")
    cyanocobalamin = is_one_of(f.substance, "", "cyanocobalamin")
    unexplained = all_of(some(f.signs), not_(adequate), not_(unproven))
    return Table.of(
        "order",
        OrderFacts,
        (
            Row(
                "ORD-02",
                all_of(by_mouth, is_one_of(f.cause, "inborn"), not_(f.specialist_course)),
                Answer("ORD-02.inborn", "removed", refuses=True, shows_level=True),
                part="inborn",
            ),
            Row(
                "ORD-02",
                all_of(
                    by_mouth,
                    not_(f.specialist_course),
                    any_of(unexplained, is_one_of(f.severity, "severe")),
                ),
                Answer("ORD-02", "product and dose", shows_level=True),
            ),
            Row(
                "ORD-01",
                all_of(by_mouth, is_one_of(f.cause, "malabsorption", "mixed")),
                Answer("ORD-01", "product and dose", shows_level=True),
            ),
            Row(
                "ORD-02b",
                all_of(
                    by_mouth,
                    some(f.worded),
                    not_(adequate),
                    not_(all_of(cyanocobalamin, some(f.worded_inborn))),  # ORD-10 speaks of it
                ),
                Answer("ORD-02b", shows_level=True),
            ),
        ),
        words,
        first=True,
        complete=False,
    )


def form_table(words: TableWords) -> Table[OrderFacts, Answer]:
    """What no infant is given: a spray for the nose, or what is swallowed whole."""
    f = OrderFacts
    nasal = includes(f.ways, "nasal")
    solid = all_of(is_one_of(f.form, "tablet"), not_(includes(f.ways, *INJECTED)))
    under_the_tongue = all_of(includes(f.ways, "sublingual"), not_(includes(f.ways, "oral")))
    excused = any_of(f.crushed, all_of(under_the_tongue, some(f.published)))
    return Table.of(
        "order",
        OrderFacts,
        (
            Row(
                "ORD-19",
                all_of(solid, not_(nasal), excused),
                Answer("ORD-19.prepared"),
                part="prepared",
            ),
            Row("ORD-19", any_of(nasal, solid), Answer("ORD-19", "product and dose")),
        ),
        words,
        first=True,
        complete=False,
    )


def excess_table(limits: Limits, words: TableWords) -> Table[OrderFacts, Answer]:
    f = OrderFacts
    return Table.of(
        "order",
        OrderFacts,
        (
            Row("ORD-04", _too_much(limits), Answer("ORD-04", "dose")),
            Row(
                "ORD-04",
                all_of(f.per_kg_in_mg, not_(_inborn())),
                Answer("ORD-04.per_kg", "dose"),
                part="weight",
            ),
            Row(
                "ORD-04",
                all_of(_inborn(), any_of(known(f.single), known(f.day))),
                Answer("ORD-04.specialist"),
                part="specialist",
            ),
            Row(
                "ORD-03",
                all_of(
                    not_(_inborn()),
                    any_of(
                        meets(f.single, limits.dose_suggested), meets(f.day, limits.dose_suggested)
                    ),
                ),
                Answer("ORD-03", "dose"),
            ),
        ),
        words,
        first=True,
        complete=False,
    )


def shortage_table(limits: Limits, words: TableWords) -> Table[OrderFacts, Answer]:
    """The gravest answer comes first. Where a unit was probably confused, the dose that was meant
    is not known to be small. In an inborn error amount and interval are the specialist's."""
    f = OrderFacts
    plausible = not_(_excessive(limits))
    compared = all_of(plausible, not_(_inborn()))
    scant = all_of(compared, meets(f.share, limits.course_scant), none(f.published))
    worded = meets(f.share_if_signs, limits.course_scant)
    maintenance = all_of(compared, f.deficient, meets(f.average, limits.requirement_dose))
    tenth = all_of(compared, f.deficient, meets(f.single, limits.dose_tenth), none(f.published))
    return Table.of(
        "order",
        OrderFacts,
        (
            Row("ORD-05", all_of(plausible, f.needs_weight), Answer("ORD-05", "dose")),
            Row(
                "ORD-07",
                all_of(maintenance, any_of(some(f.signs), is_one_of(f.severity, "severe"))),
                Answer("ORD-07", "dose", "critical", shows_level=True),
                part="pressing",
            ),
            Row(
                "ORD-16",
                all_of(
                    scant,
                    f.deficient,
                    any_of(some(f.signs), is_one_of(f.severity, "severe")),
                    not_(all_of(f.weekly_course, some(f.signs))),
                ),
                Answer("ORD-16", "dose", "critical", shows_level=True),
                part="pressing",
            ),
            Row(
                "ORD-07",
                all_of(tenth, some(f.signs)),
                Answer("ORD-07.tenth", "dose", "critical", shows_level=True),
                part="pressing-tenth",
            ),
            Row("ORD-07", maintenance, Answer("ORD-07", "dose", shows_level=True)),
            Row(
                "ORD-16",
                worded,
                Answer("ORD-16.worded", "dose, offered", "warning", shows_level=True),
                part="worded",
            ),
            Row(
                "ORD-07",
                all_of(
                    compared,
                    f.deficient,
                    some(f.published),
                    any_of(meets(f.single, limits.dose_tenth), meets(f.share, limits.course_scant)),
                ),
                Answer("ORD-07.published"),
                part="published",
            ),
            Row(
                "ORD-16",
                all_of(
                    scant,
                    any_of(f.deficient, all_of(is_one_of(f.status, "borderline"), some(f.signs))),
                ),
                Answer("ORD-16", "dose", shows_level=True),
            ),
            Row(
                "ORD-07",
                all_of(tenth, is_one_of(f.severity, "severe")),
                Answer("ORD-07.tenth", "dose", "warning", shows_level=True),
                part="severe-tenth",
            ),
            Row("ORD-07", tenth, Answer("ORD-07.tenth", "dose", shows_level=True), part="tenth"),
        ),
        words,
        first=True,
        complete=False,
    )


def reason_table(limits: Limits, words: TableWords) -> Table[OrderFacts, Answer]:
    """A level that is probably adequate counts as adequate."""
    f = OrderFacts
    requirement = limits.requirement_dose
    again = all_of(f.again, not_(_inborn()), none(f.leber))
    short = all_of(f.deficient, meets(f.of_the_course, limits.course_short), not_(_inborn()))
    pressing = any_of(some(f.signs), is_one_of(f.severity, "severe"))
    low = any_of(f.deficient, is_one_of(f.status, "borderline"), some(f.signs))
    rare = all_of(not_(_inborn()), none(f.leber))
    frequent = _too_long(f.frequent, f.frequent_days, limits.frequent_injections)
    weekly = _too_long(f.weekly, f.weekly_days, limits.weekly_injections)
    more = any_of(
        misses(f.average, requirement),
        all_of(
            unknown(f.average), any_of(misses(f.single, requirement), misses(f.day, requirement))
        ),
    )
    return Table.of(
        "order",
        OrderFacts,
        (
            Row("ORD-17", all_of(frequent, rare), Answer("ORD-17")),
            Row(
                "ORD-17",
                all_of(f.deficient, weekly, not_(frequent), rare),
                Answer("ORD-17.weekly", "course", shows_level=True, shows_course=True),
                part="weekly",
            ),
            Row(
                "ORD-20",
                all_of(
                    more,
                    is_one_of(f.status, "adequate", "probably adequate", "unknown"),
                    none(f.indications),
                    none(f.treated),
                    none(f.gaps),
                ),
                Answer("ORD-20", shows_level=True),
            ),
            Row("ORD-23", all_of(again, low), Answer("ORD-23", indicator="warning")),
            Row("ORD-23", all_of(again, not_(low)), Answer("ORD-23"), part="adequate"),
            Row(
                "ORD-24",
                all_of(short, any_of(pressing, none(f.published))),
                Answer("ORD-24", indicator="warning", shows_level=True, shows_course=True),
            ),
            Row(
                "ORD-24",
                all_of(short, not_(pressing), some(f.published)),
                Answer("ORD-24", shows_level=True, shows_course=True),
                part="published",
            ),
            Row(
                "ORD-24",
                all_of(
                    f.deficient,
                    f.unfollowed,
                    misses(f.of_the_course, limits.course_short),
                    rare,
                ),
                Answer("ORD-24.next"),
                part="next",
            ),
        ),
        words,
        first=False,
    )


def injection_table(words: TableWords) -> Table[OrderFacts, Answer]:
    f = OrderFacts
    vein = includes(f.ways, "intravenous")
    return Table.of(
        "order",
        OrderFacts,
        (
            Row(
                "ORD-11",
                all_of(f.spinal, f.may_bleed),
                Answer("ORD-11.spinal", "under the skin"),
                part="spine, may bleed",
            ),
            Row(
                "ORD-11",
                all_of(f.spinal, none(f.may_bleed)),
                Answer("ORD-11.spinal", "into the muscle"),
                part="spine",
            ),
            Row(
                "ORD-11",
                all_of(f.may_bleed, includes(f.ways, "intramuscular", "parenteral")),
                Answer("ORD-11", "under the skin"),
            ),
            Row(
                "ORD-11",
                all_of(vein, f.may_bleed),
                Answer("ORD-11.vein", "under the skin"),
                part="vein, may bleed",
            ),
            Row(
                "ORD-11",
                all_of(vein, none(f.may_bleed)),
                Answer("ORD-11.vein", "into the muscle"),
                part="vein",
            ),
        ),
        words,
        first=False,
    )


def preservative_table(words: TableWords) -> Table[OrderFacts, Answer]:
    f = OrderFacts
    return Table.of(
        "order",
        OrderFacts,
        (
            Row(
                "ORD-12",
                all_of(
                    includes(f.ways, *INJECTED), f.preservative_harms, none(f.preservative_free)
                ),
                Answer("ORD-12", "product"),
            ),
            Row(
                "ORD-12",
                all_of(
                    includes(f.ways, *INJECTED),
                    none(f.preservative_harms),
                    some(f.preservative_reactions),
                    none(f.preservative_free),
                ),
                Answer("ORD-12.allergy", "product"),
                part="allergy",
            ),
        ),
        words,
        first=False,
    )


def twice_table(words: TableWords) -> Table[OrderFacts, Answer]:
    """DUP-02 is asked before: what is there twice by the same way is spoken of alone."""
    f = OrderFacts
    return Table.of(
        "order",
        OrderFacts,
        (Row("ORD-06", all_of(none(f.repeated), some(f.elsewhere)), Answer("ORD-06.other")),),
        words,
        first=False,
    )


def unclear_table(limits: Limits, words: TableWords) -> Table[OrderFacts, Answer]:
    """A combination is worth a word only where the child needs treatment, which a multivitamin is
    not; of any other the dose is unclear."""
    f = OrderFacts
    unread = all_of(
        is_one_of(f.kind, "b12", "combination"),
        f.deficient,
        some(f.unclear),
        unknown(f.single),
        unknown(f.day),
    )
    pressing = any_of(f.deficient, all_of(is_one_of(f.status, "borderline"), some(f.signs)))
    needed = all_of(is_one_of(f.kind, "b12"), f.as_needed)
    return Table.of(
        "order",
        OrderFacts,
        (
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), f.foreign),
                Answer("ORD-09", indicator="warning"),
                part="foreign",
            ),
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), meets(f.in_words_alone, limits.dose_excessive)),
                Answer("ORD-09", indicator="warning"),
                part="excess",
            ),
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), f.contradicts),
                Answer("ORD-09", indicator="warning"),
                part="contradicts",
            ),
            Row("ORD-09", unread, Answer("ORD-09", indicator="warning"), part="unread"),
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), f.deficient, f.astray),
                Answer("ORD-09", indicator="warning"),
                part="astray",
            ),
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), f.untimely, pressing),
                Answer("ORD-09", indicator="warning"),
                part="untimely",
            ),
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), f.unseen),
                Answer("ORD-09", indicator="warning"),
                part="unseen",
            ),
            Row(
                "ORD-09",
                all_of(is_one_of(f.kind, "b12"), some(f.forbidden)),
                Answer("ORD-09", indicator="warning"),
                part="forbidden",
            ),
            Row(
                "ORD-09",
                all_of(f.forbids, f.deficient),
                Answer("ORD-09", indicator="warning"),
                part="forbids",
            ),
            Row(
                "ORD-09",
                all_of(needed, pressing),
                Answer("ORD-09", indicator="warning"),
                part="needed",
            ),
            Row(
                "ORD-09",
                any_of(
                    is_one_of(f.kind, "unknown"),
                    f.forbids,
                    all_of(is_one_of(f.kind, "b12"), any_of(some(f.unclear), some(f.gaps))),
                    needed,
                    all_of(
                        is_one_of(f.kind, "combination"),
                        any_of(f.deficient, is_one_of(f.status, "borderline"), some(f.signs)),
                    ),
                ),
                Answer("ORD-09"),
            ),
        ),
        words,
        first=True,
        complete=False,
    )


def silence_table(words: TableWords) -> Table[SilenceFacts, Silence]:
    """Asked of each order of vitamin B12, and of the basket for the reason."""
    f = SilenceFacts
    silent = none(f.said)
    return Table.of(
        "order",
        SilenceFacts,
        (
            Row("ORD-14", all_of(silent, f.checked), "agrees"),
            Row("ORD-14", all_of(silent, f.treated), "treated already", part="treated"),
            Row("ORD-14", all_of(silent, f.deficient), "another order is written", part="later"),
            Row("ORD-14", silent, "none is called for", part="not called for"),
        ),
        words,
        first=True,
        complete=False,
    )


def basket_table(limits: Limits, words: TableWords) -> Table[BasketFacts, Answer | None]:
    """What a healthy child eats is not followed up with levels: a supplement next to an adequate
    one prevents, and treats nothing. Where no deficiency is established the samples are a card of
    their own; one that is established is treated, and they go with its other tests. What a blood
    count grades as mild is treated alike whatever the metabolites are."""
    f = BasketFacts
    alone = all_of(f.folic_acid, none(f.b12), none(f.treated))
    requirement = meets(f.average, limits.requirement_dose)
    prevents = all_of(
        is_one_of(f.status, "adequate", "probably adequate"), none(f.treated), requirement
    )
    begun = all_of(f.b12, none(f.refused))
    unproven = all_of(begun, none(f.treated), f.measured_first, some(f.unsampled))
    questioned = all_of(unproven, any_of(f.alarming, not_(requirement)))
    return Table.of(
        "order",
        BasketFacts,
        (
            Row(
                "ORD-08",
                all_of(begun, some(f.lacking), not_(prevents)),
                Answer("ORD-08", shows_level=True),
            ),
            Row(
                "ORD-08",
                all_of(
                    begun,
                    none(f.lacking),
                    none(f.treated),
                    some(f.unsampled),
                    not_(questioned),
                    any_of(f.ungraded, not_(is_one_of(f.severity, "mild"))),
                ),
                Answer("ORD-08.samples", shows_level=True),
                part="samples",
            ),
            Row(
                "ORD-22",
                all_of(questioned, f.alarming),
                Answer("ORD-22", indicator="warning"),
                part="alarming",
            ),
            Row("ORD-22", all_of(questioned, none(f.alarming)), Answer("ORD-22")),
            Row(
                "ORD-13",
                all_of(alone, none(f.combined), f.deficient),
                Answer("ORD-13", shows_level=True),
            ),
            Row(
                "ORD-13",
                all_of(alone, is_one_of(f.status, "borderline")),
                Answer("ORD-13.borderline", shows_level=True),
                part="borderline",
            ),
            Row(
                "ORD-13",
                all_of(
                    alone,
                    is_one_of(f.status, "unknown", "unknown at risk"),
                    any_of(some(f.signs), some(f.worded), f.macrocytic, f.two_lines_low),
                ),
                Answer("ORD-13.unknown"),
                part="unknown",
            ),
            Row(
                "ORD-21",
                all_of(some(f.nitrous_oxide), some(f.poisoned_by_it)),
                Answer("ORD-21"),
            ),
            Row(
                "ORD-21",
                all_of(some(f.nitrous_oxide), none(f.poisoned_by_it), f.deficient, f.treated),
                Answer("ORD-21.deficient", shows_level=True),
                part="deficient",
            ),
            Row("ORD-15", is_one_of(f.age_rule, "AGE-04"), None),
        ),
        words,
        first=False,
    )


def _too_long(injected: bool, days: Decimal | None, limit: Limit) -> Condition:
    """Injected so for too long, or without an end."""
    return all_of(injected, any_of(unknown(days), meets(days, limit)))


def _inborn() -> Condition:
    """An inborn error recorded by code: a name alone is not a cause."""
    return is_one_of(OrderFacts.cause, "inborn")


def _too_much(limits: Limits) -> Condition:
    """In an inborn error a single dose is compared with what specialists give; where it is not
    known, what is given on one day."""
    f = OrderFacts
    return any_of(
        all_of(
            not_(_inborn()),
            any_of(meets(f.single, limits.dose_excessive), meets(f.day, limits.dose_excessive)),
        ),
        all_of(
            _inborn(),
            any_of(
                meets(f.single, limits.dose_specialist),
                all_of(unknown(f.single), meets(f.day, limits.dose_specialist)),
            ),
        ),
    )


def _excessive(limits: Limits) -> Condition:
    return any_of(_too_much(limits), all_of(OrderFacts.per_kg_in_mg, not_(_inborn())))
