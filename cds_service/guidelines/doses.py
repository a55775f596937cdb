"""What a guideline can order: doses with their unit and phases, products, tests; and what is
checked of them when it loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from msgspec import Struct

from cds_service.clinical import Code, Phase, Plan, PlannedDrug, PlannedTest
from cds_service.errors import GuidelineError
from cds_service.guidelines import naming
from cds_service.guidelines.checks import SLIP, entries
from cds_service.guidelines.engine import Limit
from cds_service.language import Message, Value, Words


class Step(Phase, frozen=True, forbid_unknown_fields=True):
    """A phase as data, in words of its own."""

    text: str = ""
    then: str = ""


class Dose(Struct, frozen=True, forbid_unknown_fields=True):
    """A regimen. ``amount`` is in ``unit`` (a UCUM mass), or in it per kg where ``per_kg``."""

    rule: str
    label: str
    amount: Decimal
    unit: str
    phases: tuple[Step, ...]
    source: str
    per_kg: bool = False
    key: str = ""

    def labelled(self, amount: Decimal, substance: str, way: Words) -> Message:
        """What is on the button that orders it."""
        first = naming.substance(substance, first=True)
        values: dict[str, Value] = {"amount": amount, "substance": first, "route": way}
        return Message(f"doses.{self.key}.label", values)

    def in_words(self, number: int, values: Mapping[str, Value]) -> Message:
        """A phase in words, the first being 1."""
        return Message(f"doses.{self.key}.phase_{number}", values)

    @property
    def afterwards(self) -> Message:
        """What follows its last phase."""
        return Message(f"doses.{self.key}.then")


#: The name of a product or test of the data: one message, however often it is named.
_named = cache(Message)


class Product(Struct, frozen=True, forbid_unknown_fields=True):
    """A medicine to prescribe. ``site_codings`` (a site's own) come first in every order;
    ``preservative_free`` are codes of it without preservative; ``strength`` is in micrograms per
    mL."""

    name: str
    substance: str
    codings: tuple[Code, ...]
    source: str
    benzyl_alcohol: bool = False
    preservative_free: tuple[Code, ...] = ()
    site_codings: tuple[Code, ...] = ()
    strength: Decimal | None = None
    key: str = ""

    @property
    def called(self) -> Message:
        """Its name on a card and in an order."""
        return _named(f"products.{self.key}.name")

    @property
    def codes(self) -> tuple[Code, ...]:
        return self.site_codings + self.codings


class Test(Struct, frozen=True, forbid_unknown_fields=True):
    """A laboratory test to order; ``same_as`` are codes of a record's order that equal it.
    ``inside`` is its name inside a sentence; ``same_words`` are whole names (lower case)
    that an order without a code of it may have."""

    name: str
    codings: tuple[Code, ...]
    source: str
    same_as: tuple[str, ...] = ()
    same_words: tuple[str, ...] = ()
    site_codings: tuple[Code, ...] = ()
    inside: str = ""
    key: str = ""

    @property
    def called(self) -> Message:
        """Its name on a card and in an order."""
        return _named(f"tests.{self.key}.name")

    @property
    def called_inside(self) -> Message:
        """Its name inside a sentence."""
        return _named(f"tests.{self.key}.inside")

    @property
    def codes(self) -> tuple[Code, ...]:
        return self.site_codings + self.codings


def specimens(
    doses: Struct, products: Struct, routes: Struct, tests: Struct
) -> Iterator[tuple[str, Plan]]:
    """One of every order these can make, for no one, named by where it is in the data."""
    day = date(2026, 1, 1)
    for dose_name, dose in entries(doses):
        for product_name, product in entries(products):
            for _, route in entries(routes):
                drug = PlannedDrug(
                    product.codes,
                    product.called,
                    route,
                    dose.amount,
                    dose.unit,
                    dose.phases,
                    day,
                    "routine",
                    ("Observation/example",),
                    "note",
                )
                yield f"doses.{dose_name} of products.{product_name}", drug
    for name, test in entries(tests):
        yield f"tests.{name}", PlannedTest(test.codes, test.called, day, day)


# --- checks ---------------------------------------------------------------------------------

_DAYS = {"d": 1, "wk": 7, "mo": 30}
#: What the label of a dose may name, and the text of a phase.
LABEL_WORDS = ("substance", "amount", "route")
PHASE_WORDS = ("amount", "per_kg", "kg", "date", "route", "begins", "then")


def check_amount(dose: Dose, name: str, most: Limit, heaviest: Decimal, path: Path) -> None:
    """Refuse an amount that is more than the guideline may suggest at a time, ``most``, for the
    ``heaviest`` child (kg) where it is per kg."""
    if dose.unit != most.unit:
        raise GuidelineError(
            str(path), f"doses.{name}.unit", f"is not {most.unit}, which the limits are in",
            f"convert the amount to {most.unit}",
        )  # fmt: skip
    amount = dose.amount * (heaviest if dose.per_kg else 1)
    if not dose.amount.is_finite() or dose.amount <= 0 or most.holds(amount):
        raise GuidelineError(
            str(path), f"doses.{name}.amount",
            f"is not between 0 and {most}, the most this service suggests",
            f"correct the amount; it is in {dose.unit}",
        )  # fmt: skip


def check_phases(dose: Dose, name: str, excessive: Limit, heaviest: Decimal, path: Path) -> None:
    """Refuse a number of doses that is not that of the timing, and a day that holds too much for
    the ``heaviest`` child (kg)."""
    if not dose.phases:
        raise GuidelineError(str(path), f"doses.{name}", "has no phase", "add one")
    for phase in dose.phases:
        _check_phase(dose, phase, f"doses.{name}.phases", excessive, heaviest, path)


def _check_phase(
    dose: Dose, phase: Phase, name: str, excessive: Limit, heaviest: Decimal, path: Path
) -> None:
    if min(phase.frequency, phase.period, phase.duration, phase.count) < 1:
        raise GuidelineError(str(path), name, "has a number below 1", "correct the phase")
    period = phase.period * _DAYS[phase.period_unit]
    fits = round(phase.frequency * phase.duration * _DAYS[phase.duration_unit] / period)
    if phase.count != fits:
        raise GuidelineError(
            str(path), name, f"has {phase.count} doses where {fits} fit",
            "correct one of the numbers",
        )  # fmt: skip
    daily = dose.amount * max(Decimal(phase.frequency) / period, Decimal(1))
    if dose.per_kg:
        daily *= heaviest
    if excessive.holds(daily):
        raise GuidelineError(
            str(path), name,
            f"makes {daily:f} {dose.unit} a day, which limits.dose_excessive calls excessive",
            "correct amount or frequency",
        )  # fmt: skip


def check_texts(dose: Dose, name: str, path: Path) -> None:
    """Refuse a text that would tell another dose, or names what it is not given, and words about
    what follows that no order would have."""
    told = ((dose.label, LABEL_WORDS), *((phase.text, PHASE_WORDS) for phase in dose.phases))
    for text, words in (*told, *((phase.then, ()) for phase in dose.phases)):
        try:
            text.format_map(dict.fromkeys(words, ""))
        except (LookupError, ValueError, AttributeError) as error:
            raise GuidelineError(
                str(path), f"doses.{name}",
                f"has a text with a placeholder it is not given ({error})",
                f"use only {', '.join(words)}" if words else "write it without braces",
            ) from None  # fmt: skip
    for text, _ in told:
        if "{amount}" not in text:
            raise GuidelineError(
                str(path), f"doses.{name}",
                "has a text that leaves out {amount}, so that it may say another dose",
                "write {amount} where the text says how much",
            )  # fmt: skip
    if any(phase.then for phase in dose.phases[:-1]):
        raise GuidelineError(
            str(path), f"doses.{name}.phases", 'has a "then" before the last phase',
            'write "then" only in the last phase: it says what follows the whole regimen',
        )  # fmt: skip


def check_changed_orders(
    doses: Struct, shipped_doses: Struct, products: Struct, shipped_products: Struct, path: Path
) -> None:
    """Refuse a site's dose or product that is no longer the one the functions mean by its name."""

    def refusal(name: str, problem: str, cure: str) -> GuidelineError:
        return GuidelineError(str(path), name, problem, cure)

    for name, dose in entries(doses):
        before = getattr(shipped_doses, name)
        if dose.per_kg != before.per_kg:
            raise refusal(f"doses.{name}.per_kg", "makes it another dose", "change only the amount")
        if dose.amount >= 10 * before.amount or 10 * dose.amount <= before.amount:
            old = f"is tenfold off from the guideline's {before.amount}"
            raise refusal(f"doses.{name}.amount", old, SLIP)
    for name, product in entries(products):
        if product.substance != getattr(shipped_products, name).substance:
            where = f"products.{name}.substance"
            raise refusal(where, "makes it another product", "change only its codes")
