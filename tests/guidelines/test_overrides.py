"""A site's own file: what it may change, that the change works, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import SEIZURE, Seen, a_level, a_record, a_weight, an_order, see

from cds_service.clinical import Code, Record
from cds_service.errors import GuidelineError
from cds_service.guidelines.b12_under_two import loading
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.engine import convert
from cds_service.guidelines.overrides import Changes, read_changes

LOCAL = 'source = "local: the ward, 2026"'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def seen_with(file: Path, text: str, record: Record) -> Seen:
    file.write_text(text, encoding="utf-8")
    return see(record, g=load(file))


def load(file: Path) -> Guideline:
    (changes,) = read_changes(file, [loading.ID], loading.ID).values()
    return loading.load(changes)


def refusal(file: Path, text: str) -> GuidelineError:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(GuidelineError) as caught:
        load(file)
    return caught.value


def a_phase(
    frequency: int = 1, count: int = 10, text: str = "{amount} micrograms", then: str = ""
) -> str:
    return (
        f'[[doses.oral_regimen.phases]]\nfrequency = {frequency}\nperiod = 1\nperiod_unit = "d"\n'
        f'duration = 10\nduration_unit = "d"\ncount = {count}\ntext = "{text}"\n'
        f'then = "{then}"\n'
    )


# --- what a site may change -----------------------------------------------------------------------


def test_a_changed_limit_decides(site: Path) -> None:
    text = f"[limits]\nb12_deficient = {{ below = 250, {LOCAL} }}\n"
    seen = seen_with(site, text, a_record(level=a_level(240)))
    assert "STAT-02" in seen.rules
    assert seen.says("240 pg/mL on ")
    assert seen.guideline.local == ("limits.b12_deficient.below", "limits.b12_deficient.source")


def test_a_changed_dose_is_ordered_and_told(site: Path) -> None:
    dose = f"[doses.oral_regimen]\namount = 500\n{LOCAL}\n"
    seen = seen_with(site, dose, a_record())
    (drug,) = seen.drugs
    assert drug.amount == 500
    assert seen.in_words(drug.phases[0].text).startswith("500 micrograms by mouth")
    assert "doses.oral_regimen.amount" in seen.guideline.local
    assert seen.says("cyanocobalamin 500 micrograms (0.5 mL) by mouth")
    assert not seen.says("1000 micrograms")


def test_a_number_is_not_changed_while_a_card_still_tells_the_old_one(site: Path) -> None:
    """Of the words a dose or limit is shown in, each on its own is missed."""
    error = refusal(site, f"[limits]\nuntreated = {{ above = 60, {LOCAL} }}\n")
    assert "texts.urgent_untreated" in error.problem


#: Words with a number that no setting of a site changes: when to look again, what others found
#: or print, what is never suggested.
NOT_A_SETTING = {
    "cards.RTE-08.advice",
    "cards.RTE-08.repeat.summary",
    "cards.RTE-08.repeat.advice",
    "cards.RTE-08.words.advice",
    "texts.leber_course",
    "texts.potassium_inpatient",
    "cards.RTE-11b.summary",
    "cards.RTE-11b.advice",
    "cards.DUP-01.advice",
    "cards.FU-00.advice",
    "cards.FU-02.summary",
    "cards.FU-02.advice",
    "cards.FU-02.over.advice",
    "cards.DUP-08.oral.advice",
    "cards.ORD-07.tenth.why",
    "cards.FU-07.summary",
    "cards.FU-09.why",
    "cards.FU-10.movements.why",
    "cards.FU-12.why",
    "cards.FU-08.summary",
    "cards.FU-14.advice",
    "cards.ORD-23.advice",
    "texts.expected_response",
    "texts.metabolites_grey",
    "texts.label_discordance",
    "texts.local_first_line",
    "texts.potassium_low",
    "texts.potassium_watch",
}


def test_every_number_in_words_is_known_to_be_one() -> None:
    """Anyone who writes a number into a card says which entry it repeats, or that it repeats
    none."""
    data = loading.read_own()
    words = {f"texts.{name}": text for name, text in data["texts"].items()}
    for name, card in data["cards"].items():
        words |= {
            f"cards.{name}.{part}": card.get(part, "") for part in ("summary", "advice", "why")
        }
    numbers = {
        name for name, text in words.items() if re.search(r"\d", re.sub(r"\{\w+\}|B12", "", text))
    }
    told = {name for names in data["told_in_words"].values() for name in names}
    assert numbers - told == NOT_A_SETTING
    assert told <= set(words)
    for entry in data["told_in_words"]:
        section, _, name = entry.partition(".")
        assert name in data[section]


#: Numbers of limits as sentences have them, where not in digits in the limit's own unit.
IN_WORDS = {
    (7, "d"): "one week", (14, "d"): "two weeks", (28, "d"): "4 weeks", (42, "d"): "6 weeks",
    (90, "d"): "3 months", (122, "d"): "four months", (180, "d"): "half a year",
    (365, "d"): "a year", (24, "mo"): "two years", (100, "ug"): "a tenth",
}  # fmt: skip


def not_as_told(limits: Mapping[str, Any]) -> set[str]:
    """The sentences of the guideline that repeat another number than that of their limit."""
    data = loading.read_own()
    found = set()
    for entry, names in data["told_in_words"].items():
        section, _, name = entry.partition(".")
        if section != "limits":
            continue
        limit = limits[name]
        sides = ("below", "at_most", "at_least", "above")
        number = next(limit[one] for one in sides if one in limit)
        digits = re.compile(rf"(?<![\d.]){number}(?!\.?\d)")
        words = IN_WORDS.get((number, limit["unit"]), "")
        for told in names:
            kind, _, rest = told.partition(".")
            card, _, part = rest.rpartition(".")
            text = data["texts"][rest] if kind == "texts" else data["cards"][card][part]
            if not digits.search(text) and not (words and words in text.lower()):
                found.add(told)
    return found


def test_a_sentence_that_repeats_a_limit_has_its_number() -> None:
    """Who changes a limit here changes its sentences: no card states what is not so."""
    limits = loading.read_own()["limits"]
    assert not_as_told(limits) == set()
    changed = {**limits, "nitrous_oxide_recent": {"at_most": 28, "unit": "d"}}
    assert not_as_told(changed) == {"texts.nitrous_oxide_given"}
    changed = {**limits, "untreated": {"above": 60, "unit": "d"}}
    assert not_as_told(changed) == {"texts.urgent_untreated", "texts.urgent_same_day"}


def test_changed_phases_are_ordered(site: Path) -> None:
    text = (
        f"[doses.oral_regimen]\n{LOCAL}\n"
        '[[doses.oral_regimen.phases]]\nfrequency = 1\nperiod = 1\nperiod_unit = "d"\n'
        'duration = 10\nduration_unit = "d"\ncount = 10\ntext = "{amount} micrograms daily"\n'
    )
    seen = seen_with(site, text, a_record())
    (drug,) = seen.drugs
    assert [seen.in_words(phase.text) for phase in drug.phases] == ["1000 micrograms daily"]


def test_what_follows_changed_phases_is_told(site: Path) -> None:
    phases = a_phase() + a_phase(text="{amount} micrograms, then {then}", then="call the ward")
    seen = seen_with(site, f"[doses.oral_regimen]\n{LOCAL}\n{phases}", a_record())
    (drug,) = seen.drugs
    assert seen.in_words(drug.phases[-1].text) == "1000 micrograms, then call the ward"
    assert seen.says("Then call the ward.")


def test_the_order_of_a_changed_dose_per_kilogram_tells_the_dose_it_was_worked_out_by(
    site: Path,
) -> None:
    text = (
        '[policy]\nfirst_line = "age_based_daily"\n'
        f"[doses.infant_daily]\namount = 0.5\n{LOCAL}\n"
        '[texts]\nmaintenance_no_weight = "x"\nmaintenance_stale_weight = "x"\n'
        'maintenance_age_unclear = "x"\n'
    )
    seen = seen_with(site, text, a_record(a_weight(6)))
    (small,) = [one.drug for one in seen.offers if one.choice.rule == "DOSE-B"]
    assert small is not None
    assert small.amount == 3
    assert "(0.5 micrograms/kg/day × 6 kg" in seen.in_words(small.phases[0].text)


def test_a_sites_own_codes_of_a_product_come_first(site: Path) -> None:
    text = (
        "[products.oral_solution]\n"
        'site_codings = [{ system = "urn:pharmacy", code = "B12", display = "drops" }]\n'
    )
    seen = seen_with(site, text, a_record())
    assert seen.drugs[0].codes[0] == Code("urn:pharmacy", "B12", "drops")
    assert [code.code for code in seen.drugs[0].codes[1:]] == ["1423423", "11248"]
    assert "products.oral_solution.site_codings" in seen.guideline.local


def test_a_sites_own_code_of_a_test_comes_first(site: Path) -> None:
    text = (
        "[tests.mma]\n"
        'site_codings = [{ system = "urn:lab", code = "MMA", display = "MMA" }]\n'
    )  # fmt: skip
    seen = seen_with(site, text, a_record())
    plans = [plan for one in seen.offers for plan in one.choice.plans]
    assert any(plan.codes[0].code == "MMA" for plan in plans if getattr(plan, "due", None))


def test_an_added_code_decides(site: Path) -> None:
    text = (
        '[[codes.b12_therapy]]\nsystem = "http://www.nlm.nih.gov/research/umls/rxnorm"\n'
        'code = "999999"\ndisplay = "the ward\'s drops"\n'
    )
    drops = Code("http://www.nlm.nih.gov/research/umls/rxnorm", "999999", "drops")
    record = a_record(medications=[an_order(drops)])
    assert see(record).doses["DOSE-A"]
    seen = seen_with(site, text, record)
    assert "DUP-01" in seen.rules
    assert seen.guideline.local == ("codes.b12_therapy",)


def test_a_withdrawn_code_decides_nothing_and_is_named(site: Path) -> None:
    text = (
        '[[codes.neurological]]\nsystem = "http://snomed.info/sct"\ncode = "91175000"\n'
        'display = "Seizure"\nverified = "no"\n'
    )
    seen = seen_with(site, text, a_record(problems=[SEIZURE]))
    assert "RTE-03" not in seen.rules
    assert seen.doses == {"DOSE-D": False}  # by the words alone, which choose nothing
    assert seen.says("without a known code: Seizure")


def test_a_changed_card_and_text_are_shown(site: Path) -> None:
    text = (
        '[cards."RTE-07"]\nsummary = "Low: {level}. Call the ward"\n'
        '[texts]\nunlicensed_by_mouth = "Always the same dose."\n'
    )
    seen = seen_with(site, text, a_record())
    assert seen.cards[0].summary == "Low: B12 150 pg/mL. Call the ward"
    assert seen.says("Always the same dose.")
    assert seen.guideline.local == ("cards.RTE-07.summary", "texts.unlicensed_by_mouth")


def test_a_site_renames_products_and_adds_a_sentence_to_a_card_that_has_none(site: Path) -> None:
    """No decision hangs on a name: the question about Leber's disease stays."""
    text = """
[products.oral_solution]
name = "Our drops"
[products.ingredient]
name = "Our dilute drops"
[cards."RTE-07"]
advice = "Ask the pharmacy for our drops."
"""
    seen = seen_with(site, text, a_record())
    assert seen.says("Ask the pharmacy for our drops.")
    assert seen.says("Leber's optic neuropathy in the family")
    assert seen.doses["DOSE-A"]
    wrong = '[cards."RTE-07"]\nadvise = "Ask the pharmacy."\n'
    assert refusal(site, wrong).problem == "is not a name of this guideline"
    numbered = '[cards."RTE-07"]\nadvice = "Give {amount} of it."\n'
    assert "this text is not given" in refusal(site, numbered).problem


def test_a_site_that_reads_the_dose_by_the_letter_gets_it_with_both_sentences(site: Path) -> None:
    text = '[policy]\nfirst_line = "age_based_daily"\n'
    seen = seen_with(site, text, a_record(a_weight(6)))
    assert seen.doses == {"DOSE-A": False, "DOSE-B": True}
    assert seen.says("Local setting: this site puts the maintenance-level daily dose first")
    assert seen.says("Maintenance-level (not treatment of established deficiency)")
    assert seen.guideline.local == ("policy.first_line",)


@pytest.mark.parametrize(
    "record", [a_record(), a_record(a_weight(6), level=a_level(80))], ids=["no weight", "severe"]
)
def test_the_letter_never_leaves_a_child_without_a_treatment_dose(
    site: Path, record: Record
) -> None:
    seen = seen_with(site, '[policy]\nfirst_line = "age_based_daily"\n', record)
    assert [dose for dose, recommended in seen.doses.items() if recommended] in (
        ["DOSE-A"], ["DOSE-E"],
    )  # fmt: skip


def test_the_injected_product_is_the_sites_choice(site: Path) -> None:
    text = '[policy]\nparenteral_product = "cyanocobalamin_injection"\n'
    seen = seen_with(site, text, a_record(level=a_level(80)))
    assert [code.code for code in seen.drugs[0].codes] == ["309594"]
    assert seen.says("Cyanocobalamin 1 mg/mL, 1 mL (1000 micrograms) IM")
    assert seen.says("Leber's optic neuropathy in the family?")


def test_the_injected_product_is_hydroxocobalamin_with_leber_whatever_the_site_chose(
    site: Path,
) -> None:
    text = '[policy]\nparenteral_product = "cyanocobalamin_injection"\n'
    leber = Code("http://snomed.info/sct", "58610003", "Leber's optic atrophy")
    seen = seen_with(site, text, a_record(level=a_level(80), problems=[leber]))
    assert [code.code for code in seen.drugs[0].codes] == ["317106"]


def test_a_changed_link_is_shown(site: Path) -> None:
    seen = seen_with(site, '[links.trial]\nurl = "https://ward.example.org"\n', a_record())
    assert [link.url for link in seen.cards[0].links] == ["https://ward.example.org"]
    assert seen.guideline.local == ("links.trial.url",)


def test_own_override_reasons_take_the_place_of_ours(site: Path) -> None:
    text = '[[override_reasons]]\nsystem = "urn:ward"\ncode = "x"\ndisplay = "Not here"\n'
    seen = seen_with(site, text, a_record())
    assert [one.display for one in seen.cards[0].override_reasons] == ["Not here"]
    assert seen.guideline.local == ("override_reasons",)


def test_what_is_written_as_it_was_is_no_local_setting(site: Path) -> None:
    seen = seen_with(site, "[doses.oral_regimen]\namount = 1000\n", a_record())
    assert seen.guideline.local == ()


# --- what is refused ------------------------------------------------------------------------------

ROW = 'system = "http://loinc.org"\ncode = "{}"\ndisplay = "x"\n'
REFUSED = {
    "a reason in no category of the standard": (
        '[[override_reasons]]\nsystem = "urn:ward"\ncode = "x"\ndisplay = "No"\ncategory = "y"\n',
        "override_reasons", "y",
    ),
    "an unknown name": (
        f"[limits]\nb12_low = {{ below = 1, {LOCAL} }}\n", "limits.b12_low", "is not a name",
    ),
    "an unknown section": ("[statements]\n", "statements", "cannot be overridden"),
    "a section that is not a table": ("limits = 5\n", "limits", "is not a table"),
    "codes that are not a table": ("codes = 5\n", "codes", "is not a table"),
    "a code list that is one row": (
        "[codes.b12_level]\n" + ROW.format("2132-9"), "codes.b12_level", "not a list of rows",
    ),
    "a field that no product has": (
        "[products.oral_solution]\nsame_as = []\n", "products.oral_solution", "is not a name",
    ),
    "a limit that is only a number": (
        "[limits]\nb12_deficient = 150\n", "limits.b12_deficient", "is not a limit",
    ),
    "a limit that no one decided": (
        "[limits]\nb12_deficient = { below = 150 }\n", "limits.b12_deficient", "who decided",
    ),
    "a limit with the source of someone else": (
        '[limits]\nb12_deficient = { below = 150, source = "L-2" }\n',
        "limits.b12_deficient", "who decided",
    ),
    "a limit on the other side": (
        f"[limits]\nb12_deficient = {{ at_most = 200, {LOCAL} }}\n",
        "limits.b12_deficient", "exactly one of",
    ),
    "a limit in another unit": (
        f'[limits]\nb12_deficient = {{ below = 148, unit = "pmol/L", {LOCAL} }}\n',
        "limits.b12_deficient.unit", "pg/mL",
    ),
    "a text with a placeholder of its own": (
        '[texts]\nunlicensed_by_mouth = "for {name}"\n', "texts.unlicensed_by_mouth", "{name}",
    ),
    "a text with a stray brace": (
        '[texts]\nunlicensed_by_mouth = "for {"\n', "texts.unlicensed_by_mouth", "brace",
    ),
    "a phase with a placeholder of its own": (
        '[[doses.oral_regimen.phases]]\nfrequency = 1\nperiod = 1\nperiod_unit = "d"\n'
        'duration = 1\nduration_unit = "d"\ncount = 1\ntext = "{pills}"\n',
        "doses.oral_regimen", "pills",
    ),
    "a summary that is too long": (
        f'[cards."RTE-07"]\nsummary = "{"long " * 28}"\n', "cards.RTE-07.summary", "140",
    ),
    "a dose of nothing": (
        "[doses.oral_regimen]\namount = 0\n", "doses.oral_regimen.amount", "between 0 and",
    ),
    "a dose below nothing": (
        "[doses.oral_regimen]\namount = -1\n", "doses.oral_regimen.amount", "between 0 and",
    ),
    "a dose above the highest": (
        "[doses.weekly_injections]\namount = 2000\n",
        "doses.weekly_injections.amount", "between 0 and",
    ),
    "a dose so small that its order is warned of": (
        "[doses.weekly_injections]\namount = 100\n",
        "doses.weekly_injections.amount", "treats nothing",
    ),
    "a dose that no one decided": (
        "[doses.weekly_injections]\namount = 101\n", "doses.weekly_injections", "who decided",
    ),
    "a dose per kilogram that grows above the highest": (
        "[doses.infant_daily]\namount = 100\n", "doses.infant_daily.amount", "between 0 and",
    ),
    "a dose in words": (
        '[doses.oral_regimen]\namount = "much"\n', "doses.oral_regimen.amount", "ecimal",
    ),
    "a regimen without a phase": (
        "[doses.oral_regimen]\nphases = []\n", "doses.oral_regimen", "no phase",
    ),
    "deficient above adequate": (
        f"[limits]\nb12_deficient = {{ below = 310, {LOCAL} }}\n",
        "limits.b12_deficient", "is not below limits.b12_adequate",
    ),
    "a limit that is not a number": (
        f"[limits]\nb12_severe = {{ below = nan, {LOCAL} }}\n", "limits.b12_severe", "is not above",
    ),
    "a limit below nothing": (
        f"[limits]\nb12_severe = {{ below = -5, {LOCAL} }}\n", "limits.b12_severe", "is not above",
    ),
    "a limit of nothing": (
        f"[limits]\nplatelets_injection = {{ below = 0, {LOCAL} }}\n",
        "limits.platelets_injection", "is not above",
    ),
    "a time below nothing": (
        f"[limits]\norder_window = {{ at_most = -1, {LOCAL} }}\n", "limits.order_window", "below 0",
    ),
    "a limit tenfold": (
        f"[limits]\ncovered_age = {{ below = 240, {LOCAL} }}\n", "limits.covered_age", "tenfold",
    ),
    "a limit of a tenth": (
        f"[limits]\nhemoglobin_severe = {{ below = 0.7, {LOCAL} }}\n",
        "limits.hemoglobin_severe", "tenfold",
    ),
    "a dose of a tenth": (
        "[doses.toddler_daily]\namount = 0.1\n", "doses.toddler_daily.amount", "tenfold",
    ),
    "a requirement in milligrams": (
        "[doses.toddler_daily]\namount = 1000\n", "doses.toddler_daily.amount", "tenfold",
    ),
    "a lightest weight above that of an older child": (
        f"[limits]\nweight_floor_6_to_12_months = {{ at_least = 5, {LOCAL} }}\n",
        "limits.weight_floor_6_to_12_months", "is not below",
    ),
    "a weight that is rejected before it is unusual": (
        f"[limits]\nweight_rejected_high = {{ above = 4, {LOCAL} }}\n",
        "limits.weight_unusual_high", "is not below limits.weight_rejected_high",
    ),
    "windows of plausible weights that overlap": (
        f"[limits]\nweight_band_1_month = {{ below = 6, {LOCAL} }}\n",
        "limits.weight_band_1_month", "is not below limits.weight_band_6_months",
    ),
    "windows of plausible weights out of order": (
        f"[limits]\nweight_band_6_months = {{ below = 13, {LOCAL} }}\n",
        "limits.weight_band_6_months", "is not below limits.weight_band_12_months",
    ),
    "ages for which a weight stays current that overlap": (
        f"[limits]\nweight_age_3_months = {{ below = 12, {LOCAL} }}\n",
        "limits.weight_age_3_months", "is not below limits.weight_age_12_months",
    ),
    "a suggested dose that its own check calls excessive": (
        f"[limits]\ndose_excessive = {{ above = 500, {LOCAL} }}\n",
        "limits.dose_suggested", "is not below limits.dose_excessive",
    ),
    "a lost decimal place that is a full dose": (
        f"[limits]\ndose_tenth = {{ at_most = 900, {LOCAL} }}\n"
        "[doses.oral_regimen]\namount = 900\n",
        "doses.oral_regimen.amount", "treats nothing",
    ),
    "a requirement that is a treatment": (
        f"[limits]\nrequirement_dose = {{ at_most = 40, {LOCAL} }}\n"
        f"dose_tenth = {{ at_most = 30, {LOCAL} }}\n",
        "limits.requirement_dose", "is not below limits.dose_tenth",
    ),
    "a text that says nothing": ('[texts]\nreview = " "\n', "texts.review", "empty"),
    "a summary that says nothing": (
        '[cards."RTE-07"]\nsummary = ""\n', "cards.RTE-07.summary", "empty",
    ),
    "a label that leaves its dose out": (
        '[doses.oral_regimen]\nlabel = "Oral 10 mg"\n', "doses.oral_regimen", "{amount}",
    ),
    "a phase that leaves its dose out": (
        a_phase(text="drops"), "doses.oral_regimen", "{amount}",
    ),
    "what follows a phase with a placeholder of its own": (
        a_phase(then="{pills}"), "doses.oral_regimen", "pills",
    ),
    "what follows in a phase that is not the last": (
        a_phase(then="call") + a_phase(), "doses.oral_regimen.phases", "before the last phase",
    ),
    "more doses than fit into a phase": (
        a_phase(count=100), "doses.oral_regimen", "has 100 doses where 10 fit",
    ),
    "fewer doses than fill a phase": (
        a_phase(count=9), "doses.oral_regimen", "has 9 doses where 10 fit",
    ),
    "too many doses on one day": (
        a_phase(frequency=3, count=30), "doses.oral_regimen", "3000 ug a day",
    ),
    "a dose per kilogram that is none any more": (
        "[doses.infant_daily]\nper_kg = false\n", "doses.infant_daily.per_kg", "another dose",
    ),
    "another substance under the same name": (
        '[products.hydroxocobalamin_injection]\nsubstance = "cyanocobalamin"\n',
        "products.hydroxocobalamin_injection.substance", "another product",
    ),
    "a product that does not exist": (
        '[policy]\nparenteral_product = "water"\n', "policy.parenteral_product", "water",
    ),
    "an unknown code list": ("[[codes.vitamins]]\n" + ROW.format("2132-9"),
                             "codes.vitamins", "not a code list"),
    "a code with a wrong check digit": (
        "[[codes.b12_level]]\n" + ROW.format("14685-4"), "codes.b12_level row 1", "check digit",
    ),
    "the code of the test in blood": (
        "[[codes.b12_level]]\n" + ROW.format("16695-9"), "16695-9", "also in",
    ),
    "a file that is not TOML": ("[limits\n", "the file", "not TOML"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_override_is_refused_with_file_name_and_cure(site: Path, case: str) -> None:
    text, name, problem = REFUSED[case]
    error = refusal(site, text)
    assert name in error.name
    assert problem in error.problem
    assert error.cure
    assert error.file.endswith((".toml", ".csv"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuidelineError) as caught:
        load(tmp_path / "nowhere.toml")
    assert "nowhere.toml" in caught.value.file


# --- several guidelines in one file ---------------------------------------------------------------

IDS = (loading.ID, "another")
LIMIT = f"b12_deficient = {{ below = 250, {LOCAL} }}\n"


def changes_in(file: Path, text: str) -> dict[str, Changes]:
    file.write_text(text, encoding="utf-8")
    return read_changes(file, IDS, loading.ID)


def test_a_table_stands_under_the_guideline_it_changes(site: Path) -> None:
    changes = changes_in(
        site,
        f"[{loading.ID}.limits]\n{LIMIT}"
        f'[[{loading.ID}.codes.renal_impairment]]\nsystem = "http://snomed.info/sct"\n'
        'code = "709044004"\ndisplay = "Chronic kidney disease"\n'
        "[another.texts]\nhello = 'Hello'\n",
    )
    assert list(changes) == list(IDS)
    g = loading.load(changes[loading.ID])
    assert g.limits.b12_deficient.value == 250
    assert [*g.local] == ["limits.b12_deficient.below", "limits.b12_deficient.source",
                          "codes.renal_impairment"]  # fmt: skip
    assert changes["another"].tables == {"texts": {"hello": "Hello"}}


def test_a_file_that_names_no_guideline_is_for_the_one_that_was_there_first(site: Path) -> None:
    (changes,) = changes_in(site, f"[limits]\n{LIMIT}").values()
    named = changes_in(site, f"[{loading.ID}.limits]\n{LIMIT}")[loading.ID]
    assert changes.tables == named.tables
    assert loading.load(changes).local == loading.load(named).local
    assert list(changes_in(site, "")) == [loading.ID]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (f"[{loading.ID}.limits]\n{LIMIT}[texts]\nreview = 'x'\n", "texts",
         f"write it as [{loading.ID}.texts]"),
        (f"[{loading.ID}.limits]\n{LIMIT}[b12.limits]\n", "b12", "name one of"),
        (f'"{loading.ID}" = 3\n', loading.ID, f"write [{loading.ID}.limits]"),
    ],
)  # fmt: skip
def test_what_stands_under_no_guideline_is_refused(
    site: Path, text: str, name: str, said: str
) -> None:
    with pytest.raises(GuidelineError) as caught:
        changes_in(site, text)
    assert caught.value.name == name
    assert said in caught.value.cure


@pytest.mark.parametrize(
    ("text", "name", "cure"),
    [
        ("[{}.limits]\nb12_deficient = 3\n", "limits.b12_deficient", "write it as"),
        ("[{}.limits]\nb12_low = {{}}\n", "limits.b12_low", "local:"),
        ('"{}".limits = 3\n', "limits", "write it as [b12-under-two.limits]"),
        ('"{}".codes = 3\n', "codes", "write [[b12-under-two.codes.a_list]]"),
        ('"{}".codes.inborn = 3\n', "codes.inborn", "write [[b12-under-two.codes.inborn]]"),
        ("[{}.rules]\n", "rules", "override only"),
    ],
)
def test_what_is_refused_is_named_as_the_file_has_it(
    site: Path, text: str, name: str, cure: str
) -> None:
    with pytest.raises(GuidelineError) as caught:
        loading.load(changes_in(site, text.format(loading.ID))[loading.ID])
    assert (caught.value.file, caught.value.name) == (str(site), f"{loading.ID}.{name}")
    assert cure in caught.value.cure


def test_a_dose_in_another_unit_is_refused(site: Path) -> None:
    error = refusal(site, f'[doses.oral_regimen]\nunit = "mg"\namount = 1\n{LOCAL}\n')
    assert error.name == "doses.oral_regimen.unit"
    assert error.cure == "convert the amount to ug"


# --- the guideline's own file ---------------------------------------------------------------------


def own_file_without(section: str, name: str) -> dict[str, object]:
    data = loading.read_own()
    del data[section][name]
    return data


@pytest.mark.parametrize(
    ("section", "name"),
    [("texts", "unlicensed_by_mouth"), ("limits", "b12_deficient"), ("doses", "oral_regimen"),
     ("products", "ingredient"), ("tests", "mma"), ("policy", "first_line")],
)  # fmt: skip
def test_a_name_that_stands_only_in_the_code_stops_loading(section: str, name: str) -> None:
    with pytest.raises(GuidelineError) as caught:
        convert(own_file_without(section, name), loading.File, loading.FILE)
    assert name in f"{caught.value.name} {caught.value.problem}"


@pytest.mark.parametrize("section", ["texts", "limits", "doses", "products", "tests", "policy"])
def test_a_name_that_stands_only_in_the_data_stops_loading(section: str) -> None:
    data = loading.read_own()
    data[section]["nobody_asks_for_this"] = "x"
    with pytest.raises(GuidelineError) as caught:
        convert(data, loading.File, loading.FILE)
    assert "nobody_asks_for_this" in f"{caught.value.name} {caught.value.problem}"


def test_numbers_of_the_file_are_exact() -> None:
    file = convert(loading.read_own(), loading.File, loading.FILE)
    assert file.doses.infant_daily.amount == Decimal("0.3")
    assert file.constants.b12_molar_mass.value == Decimal("1355.37")


@pytest.mark.parametrize(
    "text",
    [
        f"[limits]\nhemoglobin_severe = {{ below = 0.71, {LOCAL} }}\n",
        f"[limits]\nbenzyl_alcohol_age = {{ below = 439, {LOCAL} }}\n",
        f"[limits]\norder_window = {{ at_most = 0, {LOCAL} }}\n",
        f"[limits]\ndose_excessive = {{ above = 1001, {LOCAL} }}\n",
        f"[limits]\nweight_floor_6_to_12_months = {{ at_least = 3.9, {LOCAL} }}\n",
        f"[doses.toddler_daily]\namount = 9.9\n{LOCAL}\n"
        '[texts]\nmaintenance_age_unclear = "{label}: 9.9 micrograms/day."\n',
        f"[doses.oral_regimen]\n{LOCAL}\n{a_phase(frequency=2, count=20)}",
        f"[doses.oral_regimen]\n{LOCAL}\n{a_phase()}{a_phase(then='call')}",
    ],
)
def test_what_lies_just_inside_is_a_sites_choice(site: Path, text: str) -> None:
    site.write_text(text, encoding="utf-8")
    assert load(site).local
