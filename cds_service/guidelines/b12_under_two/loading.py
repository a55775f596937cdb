"""Reading and checking the guideline's data, with what a site overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import structs

from cds_service.clinical import Code, Need, Phase
from cds_service.errors import GuidelineError
from cds_service.guidelines.b12_under_two.data import (
    Codes,
    Dose,
    File,
    Guideline,
    Limits,
    Lists,
)
from cds_service.guidelines.b12_under_two.tables import make_tables, rules
from cds_service.guidelines.codelists import (
    LONGEST_CODE,
    CodeList,
    check_code_lists,
    load_code_lists,
)
from cds_service.guidelines.engine import (
    Limit,
    Wording,
    apply_overrides,
    check_rules,
    convert,
    read_toml,
)

FOLDER = Path(__file__).parent
FILE = FOLDER / "guideline.toml"

#: The measurement lists, each a kind of result that the facts tell apart.
MEASURED = (
    "b12_level",
    "b12_not_usable",
    "weight",
    "weight_estimated",
    "birth_weight",
    "hemoglobin",
    "mcv",
    "platelets",
    "leukocytes",
    "neutrophils",
    "reticulocytes",
    "potassium",
    "folate",
    "ferritin",
    "methylmalonate",
    "homocysteine",
    "gestational_age",
    "breastfeeding_status",
    "diet",
)
#: The property that a code of a B12 level names.
PROPERTIES = ("b12_level_mass", "b12_level_molar")
WEIGHTS = ("weight", "weight_estimated", "birth_weight")
FEEDING = ("breastfeeding_status", "diet")
LABS = tuple(
    name for name in MEASURED if name not in (*WEIGHTS, *FEEDING, "b12_level", "b12_not_usable")
)


def load(overrides: Path | None = None) -> Guideline:
    """The guideline, checked whole; with a site's ``overrides`` on top, checked the same way."""
    data = _read_file()
    changes: dict[str, Any] = {}
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    lists = load_code_lists(FOLDER / "codes")
    path = FILE
    if overrides is not None:
        changes = read_toml(overrides)
        path = overrides
        lists, added = _override_codes(lists, changes.pop("codes", {}), overrides)
        check_code_lists(lists, FOLDER / "codes")
        data, changed = apply_overrides(data, changes, overrides)
    file = convert(data, File, path)
    _check(file, path)
    if overrides is not None:
        _check_changes(file, convert(_read_file(), File, FILE), path)
    _check_words(data, changes, changed, path)
    codes = _codes(lists)
    kinds = {
        (code.system, code.code): name
        for name in MEASURED
        for code in getattr(codes, name).verified
    }
    kinds |= {(row.system, row.code): "b12_not_usable" for row in codes.b12_not_usable.codes}
    wording = Wording(
        file.guideline,
        file.cards,
        file.rules,
        file.statements,
        file.sources,
        file.links,
        file.override_reasons,
    )
    return Guideline(
        file,
        codes,
        (*changed, *added),
        kinds,
        wording,
        _needs(codes),
        _lists_of(codes),
        make_tables(file.limits),
    )


def _read_file() -> dict[str, Any]:
    """The guideline's file, with the words of its tables."""
    data = read_toml(FILE)
    return data | {
        "rules": data["rules"] | {name: structs.asdict(one) for name, one in rules().items()}
    }


def _lists_of(codes: Codes) -> Callable[[str, str], Lists]:
    """Which lists of problems and procedures a code belongs to; remembers the last it was asked,
    unless they are too long to be codes."""
    lists = [
        (name, getattr(codes, name))
        for name in codes.__struct_fields__
        if name not in (*MEASURED, *PROPERTIES)
    ]

    def look_up(system: str, code: str) -> Lists:
        asked = Code(system, code)
        return Lists(
            tuple(name for name, one in lists if one.decides(asked)),
            any(one.mentions(asked) for _, one in lists),
        )

    remembered = lru_cache(maxsize=4096)(look_up)

    def lists_of(system: str, code: str) -> Lists:
        is_short = len(code) <= LONGEST_CODE and len(system) <= 4 * LONGEST_CODE
        return remembered(system, code) if is_short else look_up(system, code)

    return lists_of


def _codes(lists: dict[str, CodeList]) -> Codes:
    names = set(Codes.__struct_fields__)
    for name in sorted(names - set(lists)):
        raise GuidelineError(
            f"codes/{name}.csv", name, "is missing", "add the file; the functions name this list"
        )
    for name in sorted(set(lists) - names):
        raise GuidelineError(f"codes/{name}.csv", name, "is used by no function", "remove the file")
    return Codes(**lists)


def _override_codes(
    lists: dict[str, CodeList], changes: Any, path: Path
) -> tuple[dict[str, CodeList], tuple[str, ...]]:
    """A site's own rows, each with system, code and display; a site vouches for its rows."""
    changed = dict(lists)
    if not isinstance(changes, dict):
        raise GuidelineError(str(path), "codes", "is not a table", "write [[codes.a_list]]")
    for name, rows in changes.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise GuidelineError(
                str(path), f"codes.{name}", "is not a list of rows", f"write [[codes.{name}]]"
            )
        if name not in lists:
            raise GuidelineError(
                str(path),
                f"codes.{name}",
                "is no code list",
                f"use one of {', '.join(sorted(lists))}",
            )
        changed[name] = lists[name].with_rows(rows, path)
    return changed, tuple(f"codes.{name}" for name in changes)


#: What of an entry may change while its dose, product or limit stays what it was.
_SAYS_NO_NUMBER = ("source", "label", "site_codings")


def _check_words(
    data: Mapping[str, Any], changes: Mapping[str, Any], changed: Sequence[str], path: Path
) -> None:
    """Refuse a changed dose that nobody answers for, and a changed number whose old value still
    stands in words that a card shows beside it."""
    given = set(_leaves(changes))
    for name in changed:
        section, _, field = name.partition(".")
        entry, _, field = field.partition(".")
        if field in _SAYS_NO_NUMBER:
            continue
        if section == "doses":
            source = data["doses"][entry]["source"]
            if not source.startswith("local:"):
                raise GuidelineError(
                    str(path),
                    f"doses.{entry}",
                    "does not say who decided it",
                    'add source = "local: who, when and why"',
                )
        told = data["told_in_words"].get(f"{section}.{entry}", ())
        stale = [words for words in told if words not in given]
        if stale:
            raise GuidelineError(
                str(path),
                name,
                f"is told in words as well, which would still tell the old: {', '.join(stale)}",
                "give these words too, as they shall read",
            )


def _leaves(data: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The dotted names of everything that is no table."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def _check(file: File, path: Path) -> None:
    limits = file.limits
    named = [
        *((f"limits.{name}", getattr(limits, name).source) for name in limits.__struct_fields__),
        *(
            (f"doses.{name}", getattr(file.doses, name).source)
            for name in file.doses.__struct_fields__
        ),
        *(
            (f"products.{name}", getattr(file.products, name).source)
            for name in file.products.__struct_fields__
        ),
        *(
            (f"tests.{name}", getattr(file.tests, name).source)
            for name in file.tests.__struct_fields__
        ),
        *((f"rules.{name}", rule.source) for name, rule in file.rules.items()),
    ]
    check_rules(file.rules, file.statements, file.sources, named, path)
    for name in limits.__struct_fields__:
        limit = getattr(limits, name)
        problem = "is below 0" if _may_be_zero(limit) else "is not above 0"
        if (
            not limit.value.is_finite()
            or limit.value < 0
            or not (limit.value or _may_be_zero(limit))
        ):
            raise GuidelineError(str(path), f"limits.{name}", problem, "correct the number")
    for lower, upper in (
        ("b12_severe", "b12_deficient"),
        ("b12_deficient", "b12_adequate"),
        ("b12_adequate", "b12_high"),
        ("b12_high", "b12_implausible"),
        ("hemoglobin_severe", "hemoglobin_two_lines"),
        ("hemoglobin_two_lines", "hemoglobin_anaemia"),
        ("toddler_age", "covered_age"),
        ("weight_band_1_month", "weight_band_6_months"),
        ("weight_band_6_months", "weight_band_12_months"),
        ("weight_age_3_months", "weight_age_12_months"),
        ("result_current", "result_stale"),
        ("paradox_from", "paradox_to"),
        ("response_day", "one_month_overdue"),
        ("requirement_dose", "dose_tenth"),
        ("dose_tenth", "dose_suggested"),
        ("dose_suggested", "dose_excessive"),
        *((f"weight_floor_{band}", f"weight_ceiling_{band}") for band in WEIGHT_BANDS),
        ("three_month_result", "three_month_overdue"),
    ):
        if not getattr(limits, lower).value < getattr(limits, upper).value:
            raise GuidelineError(
                str(path),
                f"limits.{lower}",
                f"is not below limits.{upper}",
                "correct one of the two",
            )
    for name in file.doses.__struct_fields__:
        dose = getattr(file.doses, name)
        heaviest = limits.weight_ceiling_6_to_12_months.value if dose.per_kg else 1
        if (
            not dose.amount.is_finite()
            or dose.amount <= 0
            or limits.dose_suggested.holds(dose.amount * heaviest)
        ):
            raise GuidelineError(
                str(path),
                f"doses.{name}.amount",
                f"is not between 0 and {limits.dose_suggested}, the most this service suggests",
                "correct the amount; it is in micrograms",
            )
        if name in TREATING and limits.dose_tenth.holds(dose.amount):
            raise GuidelineError(
                str(path),
                f"doses.{name}.amount",
                f"treats nothing: {limits.dose_tenth} is warned of when it is ordered",
                "correct the amount; it is in micrograms",
            )
        if not dose.phases:
            raise GuidelineError(str(path), f"doses.{name}", "has no phase", "add one")
        for phase in dose.phases:
            _check_phase(dose, phase, limits, str(path), f"doses.{name}.phases")
        for text, words in (
            (dose.label, LABEL_WORDS),
            *((phase.text, PHASE_WORDS) for phase in dose.phases),
        ):
            try:
                text.format_map(dict.fromkeys(words, ""))
            except (LookupError, ValueError, AttributeError) as error:
                raise GuidelineError(
                    str(path),
                    f"doses.{name}",
                    f"has a text with a placeholder it is not given ({error})",
                    f"use only {', '.join(words)}",
                ) from None
            if "{amount}" not in text:
                raise GuidelineError(
                    str(path),
                    f"doses.{name}",
                    "has a text that leaves out {amount}, so that it may say another dose",
                    "write {amount} where the text says how much",
                )
    for name, card in file.cards.items():
        rule = name.partition(".")[0]
        if rule not in file.rules:
            raise GuidelineError(
                str(path), f"cards.{name}", "belongs to no rule", "name it after a rule"
            )
        if len(card.summary) >= 140:
            raise GuidelineError(
                str(path), f"cards.{name}.summary", "is 140 characters or longer", "shorten it"
            )
        for kind, names, known in (
            ("statement", (card.statement,) if card.statement else (), file.statements),
            ("evidence", card.evidence, file.sources),
            ("links", card.links, file.links),
        ):
            for one in names:
                if one not in known:
                    raise GuidelineError(
                        str(path),
                        f"cards.{name}.{kind}",
                        f"names {one!r}, which is not listed",
                        "list it or correct the name",
                    )
    for name in sorted(set(SPEAKING) - set(file.cards)):
        raise GuidelineError(str(path), f"cards.{name}", "is missing", "add its text")
    for name in sorted(set(file.cards) - set(SPEAKING)):
        raise GuidelineError(str(path), f"cards.{name}", "is shown by no rule", "remove it")


def _may_be_zero(limit: Limit) -> bool:
    """A time may be none at all: "on the same day only"."""
    return limit.unit == "d"


def _check_phase(dose: Dose, phase: Phase, limits: Limits, path: str, name: str) -> None:
    """That the number of doses is that of the timing, and no day holds too much."""
    if min(phase.frequency, phase.period, phase.duration, phase.count) < 1:
        raise GuidelineError(path, name, "has a number below 1", "correct the phase")
    period = phase.period * _DAYS[phase.period_unit]
    fits = round(phase.frequency * phase.duration * _DAYS[phase.duration_unit] / period)
    if phase.count != fits:
        raise GuidelineError(
            path, name, f"has {phase.count} doses where {fits} fit", "correct one of the numbers"
        )
    daily = dose.amount * max(Decimal(phase.frequency) / period, Decimal(1))
    if dose.per_kg:
        daily *= limits.weight_ceiling_12_to_24_months.value
    if limits.dose_excessive.holds(daily):
        raise GuidelineError(
            path,
            name,
            f"makes {daily:f} ug a day, which limits.dose_excessive calls excessive",
            "correct amount or frequency",
        )


def _check_changes(file: File, shipped: File, path: Path) -> None:
    """That a site's numbers are not another unit's, and its doses and products still the ones that
    the functions mean by their names."""

    def refuse(name: str, problem: str, cure: str) -> None:
        raise GuidelineError(str(path), name, problem, cure)

    slip = "check unit and decimal point; so large a change is another guideline's"
    for name in file.limits.__struct_fields__:
        limit = getattr(file.limits, name)
        old = getattr(shipped.limits, name).value
        if limit.value >= 10 * old or (10 * limit.value <= old and not _may_be_zero(limit)):
            refuse(f"limits.{name}", f"is tenfold off from the guideline's {old}", slip)
    for name in file.doses.__struct_fields__:
        dose, before = getattr(file.doses, name), getattr(shipped.doses, name)
        if dose.per_kg != before.per_kg:
            refuse(f"doses.{name}.per_kg", "makes it another dose", "change only the amount")
        if dose.amount >= 10 * before.amount or 10 * dose.amount <= before.amount:
            refuse(
                f"doses.{name}.amount", f"is tenfold off from the guideline's {before.amount}", slip
            )
    for name in file.products.__struct_fields__:
        substance = getattr(file.products, name).substance
        if substance != getattr(shipped.products, name).substance:
            refuse(
                f"products.{name}.substance", "makes it another product", "change only its codes"
            )


_DAYS = {"d": 1, "wk": 7, "mo": 30}
WEIGHT_BANDS = ("under_1_month", "1_to_6_months", "6_to_12_months", "12_to_24_months")
#: The doses that treat; the others are what a healthy child needs.
TREATING = ("oral_regimen", "neurological_injections", "weekly_injections")

#: What the label of a dose may name, and the text of a phase.
LABEL_WORDS = ("substance", "amount", "route")
PHASE_WORDS = ("amount", "per_kg", "kg", "date", "route")

#: Every rule that has a card of its own.
SPEAKING = (
    "AGE-02",
    "AGE-03",
    "AGE-10",
    "IN-03",
    "B12-02",
    "B12-04",
    "STAT-08",
    "DUP-01",
    "DUP-01.hold",
    "RTE-01",
    "RTE-02",
    "RTE-03",
    "RTE-04",
    "RTE-05",
    "RTE-06",
    "RTE-07",
    "RTE-08",
    "RTE-08.signs",
    "RTE-08.diagnosis",
    "RTE-09",
    "RTE-10",
    "RTE-10.signs",
    "RTE-10.unplaced",
    "RTE-11b",
    "SAF-01",
    "SAF-01.new",
    "SAF-05",
    "SAF-05.new",
    "DUP-03",
    "MAT-01",
    "MAT-01.unknown",
    "MAT-02",
    "FU-00",
    "FU-02",
    "FU-03",
    "FU-04",
    "FU-05",
    "FU-07",
    "FU-08",
    "FU-09",
    "FU-10",
    "FU-10.movements",
    "FU-11",
    "FU-12",
    "MON-01",
    "ORD-01",
    "ORD-02",
    "ORD-02.inborn",
    "ORD-03",
    "ORD-04",
    "ORD-05",
    "ORD-06",
    "ORD-06.other",
    "ORD-07",
    "ORD-07.tenth",
    "ORD-08",
    "ORD-09",
    "ORD-10.allergy",
    "ORD-10.leber",
    "ORD-10.inborn",
    "ORD-11",
    "ORD-11.vein",
    "ORD-12",
    "ORD-13",
    "ORD-13.borderline",
)


def _needs(lists: Codes) -> tuple[Need, ...]:
    """What the guideline reads about a patient."""

    def codes(*names: str) -> tuple[Code, ...]:
        return tuple(code for name in names for code in getattr(lists, name).verified)

    def kept(*names: str) -> frozenset[tuple[str, str]]:
        return frozenset((code.system, code.code) for code in codes(*names))

    # Whatever a result was sent under, it is read as what its code says.
    measured = kept(*MEASURED)
    return (
        Need("patient", "Patient", "the patient", "indispensable"),
        Need(
            "b12",
            "Observation",
            "vitamin B12 results",
            "required",
            codes("b12_level"),
            measured,
        ),
        Need("conditions", "Condition", "the problem list", "required"),
        Need("weight", "Observation", "weights", "optional", codes(*WEIGHTS), measured),
        Need(
            "labs",
            "Observation",
            "other laboratory results",
            "optional",
            codes(*LABS),
            measured,
        ),
        Need(
            "feeding",
            "Observation",
            "feeding and diet",
            "optional",
            codes(*FEEDING),
            measured,
        ),
        Need("meds", "MedicationRequest", "medication orders", "optional"),
        Need("procedures", "Procedure", "procedures", "optional"),
        Need("allergies", "AllergyIntolerance", "allergies", "optional"),
        Need("administrations", "MedicationAdministration", "medications given", "optional"),
        Need("orders", "ServiceRequest", "laboratory orders", "optional"),
    )
