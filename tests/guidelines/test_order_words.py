"""What an order says in words against its structure: how often, by what way, how long."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from builders import (
    HYDROXOCOBALAMIN,
    MUSCLE,
    ORAL,
    SEIZURE,
    G,
    Seen,
    a_dosage,
    a_draft,
    a_level,
    a_record,
    an_injection,
    in_force,
    levels_drafted,
    see,
    see_orders,
)
from each import each
from msgspec import structs

from cds_service.clinical import DraftDosage, Instruction, Record
from cds_service.fhir import loose
from cds_service.fhir.dosages import read_dosages, read_notes
from cds_service.guidelines.b12_under_two.order_words import Rhythm, stated_in

Json = dict[str, Any]

#: Once a week in each language of the table.
WEEKLY = (
    "once a week", "Weekly", "1000 mcg IM every week", "every 7 days", "q7d", "1x/week IM",
    "einmal wöchentlich", "1x pro Woche", "alle 7 Tage", "une fois par semaine", "hebdomadaire",
    "cada semana", "una vez a la semana", "una volta alla settimana", "uma vez por semana",
    "wekelijks", "1x per week", "en gang om ugen", "en gang i uken", "varje vecka",
    "kerran viikossa", "raz w tygodniu", "haftada bir", "раз в неделю", "щотижня", "毎週",
    "每周一次", "매주",
)  # fmt: skip
ALTERNATE = (
    "on alternate days", "every other day", "every 2 days", "q48h", "jeden zweiten Tag",
    "alle 2 Tage", "un jour sur deux", "tous les 2 jours", "días alternos", "a giorni alterni",
    "em dias alternados",
    "om de dag", "hver anden dag", "annenhver dag", "varannan dag", "co drugi dzień", "gün aşırı",
    "через день", "隔日", "격일",
)  # fmt: skip


def alternate(text: str = "", **but: Any) -> DraftDosage:
    return a_dosage(days=2, route=MUSCLE, text=text, **but)


def contradicts(seen: Seen) -> bool:
    """Whether it is warned of, with both sides shown."""
    return seen.shows("ORD-09") and seen.outcome("ORD-09").indicator == "warning"


@each("text", WEEKLY)
def test_once_a_week_is_against_alternate_days_in_any_language(text: str) -> None:
    seen = see_orders(a_record(), an_injection(alternate(text)))
    assert contradicts(seen)
    assert seen.says("its structure says on alternate days")
    assert seen.says(text)
    assert not contradicts(
        see_orders(a_record(), an_injection(a_dosage(days=7, route=MUSCLE, text=text)))
    )


@pytest.mark.parametrize("text", ALTERNATE)
def test_alternate_days_are_against_once_a_week_in_any_language(text: str) -> None:
    assert contradicts(
        see_orders(a_record(), an_injection(a_dosage(days=7, route=MUSCLE, text=text)))
    )
    assert not contradicts(see_orders(a_record(), an_injection(alternate(text))))


@pytest.mark.parametrize(
    "text",
    [
        "then weekly", "1000 micrograms on alternate days for 2 weeks, then every 2 months",
        "alternate days; check level weekly", "Alternate days. Weekly weights.", "not weekly",
        "alle 2 Tage, danach wöchentlich", "un jour sur deux puis une fois par semaine",
        "three times a week", "po 1 ampułce co drugi dzień", "after the feed", "with 2 mL saline",
        "child 5 months old", "deep in the thigh", "1 mL",
    ],
)  # fmt: skip
def test_words_that_repeat_the_order_or_a_later_phase_are_no_contradiction(text: str) -> None:
    assert not contradicts(see_orders(a_record(), an_injection(alternate(text))))


def test_each_line_of_a_phased_order_may_describe_the_course() -> None:
    first = structs.replace(
        alternate("alternate days for two weeks, then weekly"), days=Decimal(14), sequence=1
    )
    second = a_dosage(days=7, route=MUSCLE, text="once weekly", sequence=2)
    assert not contradicts(see_orders(a_record(), an_injection(first, second)))
    other = structs.replace(second, text="once a month")
    assert contradicts(see_orders(a_record(), an_injection(first, other)))


@pytest.mark.parametrize("place", ["text", "beside", "instruction", "note"])
def test_words_count_wherever_they_stand(place: str) -> None:
    line, notes = alternate(), ()
    if place == "note":
        notes = ("once a week",)
    elif place == "text":
        line = alternate("once a week")
    else:
        told = (Instruction(text="once a week"),) if place == "instruction" else ()
        line = structs.replace(line, beside=("once a week",), instructions=told)
    assert contradicts(see_orders(a_record(), an_injection(line, notes=notes)))
    order = in_force(line, code=HYDROXOCOBALAMIN, ago=3, route=MUSCLE, notes=notes)
    assert contradicts(see(a_record(medications=[order])))


@pytest.mark.parametrize(
    ("sent", "notes"),
    [
        ({"note": [{"text": "once a week"}]}, ("once a week",)),
        ({"note": {"text": "once a week"}}, ("once a week",)),
        ({"note": "once a week"}, ("once a week",)),
        ({"renderedDosageInstruction": "once a week"}, ("once a week",)),
        ({"note": [{"authorString": "x"}, {"text": ""}]}, ()),
        ({}, ()),
    ],
)
def test_the_notes_of_every_version_are_read(sent: Json, notes: tuple[str, ...]) -> None:
    assert read_notes(loose.decode(json.dumps(sent).encode())) == notes


@pytest.mark.parametrize(
    ("route", "text", "expected"),
    [
        (MUSCLE, "by mouth", True),
        (MUSCLE, "1 mL PO", True),
        (MUSCLE, "zum Einnehmen", True),
        (MUSCLE, "i.m.", False),
        (MUSCLE, "by injection", False),
        (MUSCLE, "subcutaneously", True),
        (MUSCLE, "not by mouth", False),
        (ORAL, "IM", True),
        (ORAL, "in den Muskel", True),
        (ORAL, "domięśniowo", True),
        (ORAL, "by mouth", False),
        (ORAL, "1 mL po", False),
    ],
)
def test_a_route_in_words_is_held_against_that_of_the_structure(
    route: Any, text: str, expected: bool
) -> None:
    draft = an_injection(a_dosage(days=7, route=route, text=text))
    if route is ORAL:
        draft = a_draft(a_dosage(text=text))
    assert contradicts(see_orders(a_record(), draft)) is expected


@pytest.mark.parametrize(
    ("lasting", "text", "expected"),
    [
        (14, "for 14 days", False),
        (14, "for 2 weeks", False),
        (14, "für zwei Wochen", False),
        (14, "for 3 days", True),
        (14, "pendant 5 jours", True),
        (14, "for 3 days, then as the clinic says", True),
        (14, "3 Tage lang", True),
        (90, "for three months", False),
        (None, "for 3 days", True),
        (None, "for 13 days", True),
        (None, "for 14 days", False),
        (None, "for 3 days, then weekly", False),
        (None, "for a child 3 days old", False),
    ],
)
def test_a_length_in_words_is_held_against_that_of_the_structure(
    lasting: int | None, text: str, expected: bool
) -> None:
    line = structs.replace(alternate(text), days=None if lasting is None else Decimal(lasting))
    assert contradicts(see_orders(a_record(), an_injection(line))) is expected


@pytest.mark.parametrize(
    ("text", "differs"),
    [
        ("1000 micrograms by mouth daily", True), ("1 mg once daily", True),
        ("0.1 mL (100 micrograms) of the 1000 microgram solution", False),
        ("100 micrograms from an ampoule of 1000 micrograms", False),
        ("100 micrograms (1 mg/mL)", False), ("100 micrograms", False),
    ],
)  # fmt: skip
def test_the_strength_of_the_product_is_no_excuse_for_a_tenfold_dose(
    text: str, *, differs: bool
) -> None:
    draft = a_draft(structs.replace(a_dosage(100), text=text))
    card = see_orders(a_record(), draft)
    words = card.shows("ORD-09") and card.outcome("ORD-09").indicator == "warning"
    assert words is differs


NEEDED = (
    "prn", "P.R.N.", "1 mg IM if needed", "bei Bedarf", "si besoin", "si es necesario",
    "al bisogno", "se necessário", "zo nodig", "vid behov", "ved behov", "tarvittaessa",
    "w razie potrzeby",
    "gerektiğinde", "при необходимости", "必要時", "필요시",
)  # fmt: skip


@pytest.mark.parametrize("text", NEEDED)
def test_as_needed_in_words_is_a_warning_where_treatment_presses(text: str) -> None:
    draft = an_injection(alternate(text))
    for record, indicator in (
        (a_record(), "warning"),
        (a_record(level=a_level(250)), "info"),
        (a_record(problems=[SEIZURE]), "warning"),
        (a_record(level=a_level(80)), "warning"),
        (a_record(level=a_level(250), problems=[SEIZURE]), "warning"),
    ):
        assert see_orders(record, draft).outcome("ORD-09").indicator == indicator


@pytest.mark.parametrize(
    "sent",
    [
        {"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "for fatigue"}},
        {"asNeeded": True}, {"asNeededFor": [{"text": "fatigue"}]},
        {"timing": {"code": {"text": "PRN"}}}, {"timing": {"code": {"coding": [{"code": "prn"}]}}},
        {"text": "as needed"}, {"patientInstruction": "if needed"},
        {"additionalInstruction": [{"text": "as required"}]},
    ],
)  # fmt: skip
def test_as_needed_is_read_in_the_shape_of_every_version(sent: Json) -> None:
    line: Json = {
        "route": {"text": "IM"},
        "timing": {"repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 1000, "unit": "ug", "code": "ug"}}],
    }
    order = loose.decode(json.dumps({"dosageInstruction": [{**line, **sent}]}).encode())
    severe = a_record(level=a_level(80))
    seen = see_orders(severe, an_injection(*read_dosages(order)))
    assert seen.outcome("ORD-09").indicator == "warning"
    active = in_force(*read_dosages(order), code=HYDROXOCOBALAMIN, ago=30, route=MUSCLE)
    for level in (a_level(80, ago=40), a_level(80, ago=2)):
        chart = see(a_record(level=level, medications=[active]))
        assert chart.outcome("ORD-09").indicator == "warning"
    adequate = see(a_record(level=a_level(400, ago=2), medications=[active]))
    assert adequate.shows("ORD-09") is ("additionalInstruction" in sent)


def test_what_is_given_always_is_not_called_as_needed() -> None:
    order = loose.decode(
        json.dumps(
            {"dosageInstruction": [{"asNeededBoolean": False, "text": "1000 ug IM daily"}]}
        ).encode()
    )
    (line,) = read_dosages(order)
    assert not line.as_needed
    adequate: Record = a_record(level=a_level(400))
    draft = an_injection(a_dosage(days=7, route=MUSCLE, text="weekly injections are needed"))
    assert not see_orders(adequate, draft, *levels_drafted()).shows("ORD-09")


def test_a_text_is_read_by_its_longest_phrases() -> None:
    stated = {
        "twice weekly": (2, 7), "twice a month": (2, 30), "every other week": (1, 14),
        "every 3 months": (1, 90),
        "three times a day": (3, 1), "single dose": (1, 0), "every six weeks": (1, 42),
    }  # fmt: skip
    for text, (times, days) in stated.items():
        assert stated_in(text, G).rhythms == (Rhythm(Decimal(times), Decimal(days)),), text
    assert stated_in("x" * 5000, G).rhythms == ()


#: As public prescriptions and dosage texts of many countries count doses.
COUNTED = {
    (2, 1): (
        "1日2回", "每日2次", "0,5-0-0,5-0", "1-0-1-0 Stück", "½-0-½", "2x per dag", "q12h",
        "cada 12 horas", "matin et soir", "morgens und abends", "مرتين يوميا", "1-0-1",
        "2x1", "1x2 täglich", "12/12h", "de 12 em 12 horas", "c/12 h", "1cp 2x/j", "2 fois/jour",
        "2 f/j", "1 - 0 - 1", "1+0+1", "1/0/1", "ogni 12 h", "2 volte/die", "x 2/die",
        "bis in die", "b.d.s.", "2 dd 1", "2dd", "tweemaal per dag", "2x daags", "2 x per dag",
        "2 ggr dagligen", "1 tablett 2 gånger per dag", "1x2 dagligen", "1 tabl x 2",
        "2 ganger daglig", "2 gange dagl.", "1 tabl 2 kertaa päivässä", "1x2/vrk", "2 x vrk",
        "2xdz", "2 x dz.", "2x dziennie", "2 razy na dobę", "co 12 h", "2x denně", "1-0-1 tbl",
        "každých 12 hodin", "naponta kétszer", "naponta 2x1", "2x1 tabletta", "12 óránként",
        "günde 2 kez", "günde iki defa", "2x1 tb", "12 saatte bir", "2 раза в сутки", "2 р/д",
        "по 1 таб. 2 р/сут", "каждые 12 часов", "кожні 12 годин", "двічі на день",
        "2 рази на добу", "два пъти дневно", "δύο φορές την ημέρα", "2 φορές ημερησίως",
        "κάθε 12 ώρες", "1x2", "مرتين في اليوم", "كل 12 ساعة", "كل ١٢ ساعة", "مرتان يوميا",
        "٢ مرات يوميا", "روزی دو بار", "هر ۱۲ ساعت", "פעמיים ביום", "כל 12 שעות", "2 פעמים ביום",
        "दिन में दो बार", "दिन में 2 बार", "हर 12 घंटे", "रोज़ 2 बार", "วันละ 2 ครั้ง",
        "วันละสองครั้ง", "ทุก 12 ชั่วโมง", "一天两次", "一天2次", "一日二次", "每日两次",
        "每12小时一次", "每12小時", "bid po", "Q12H", "一日2回", "1日2回朝夕食後", "朝夕食後",
        "分2", "12時間おき", "12時間ごと", "1일 2회", "하루 두 번", "하루 2번", "1일2회 식후",
        "아침 저녁", "12시간마다", "12시간 간격", "ngày 2 lần", "ngày uống 2 lần", "2 lần/ngày",
        "mỗi 12 giờ", "2 kali sehari", "2x sehari", "tiap 12 jam", "setiap 12 jam",
        "dua kali sehari", "dalawang beses sa isang araw", "mara mbili kwa siku",
        "de două ori pe zi", "2 ori/zi", "la 12 ore", "dvakrát denne", "dva puta dnevno",
        "2x dnevno", "svakih 12 sati", "dvakrat na dan", "2 korda päevas",
        "2 kartus per dieną", "dy herë në ditë", "2 vegades al dia", "cada 12 hores",
        "tvisvar á dag", "twice per day", "BD", "2/day", "2/d", "2 per day", "two doses daily",
        "morning and evening", "AM and PM", "mornings and nights", "every 12 h",
        "every twelve hours", "twelve hourly", "12 hrly", "1 tab BID", "2xd", "2×/d",
        "2 mal am Tag", "zwei Mal täglich", "2x/Tag", "2xtgl", "2x tgl.", "alle 12 Std.",
        "alle zwölf Stunden", "12-stündlich", "früh und abends", "morgens/abends",
        "mattina e sera", "mañana y noche", "manhã e noite", "matin & soir", "rano i wieczorem",
        "ráno a večer", "sabah akşam", "утром и вечером", "朝夕", "早晚各一次", "早晚",
        "아침저녁으로", "सुबह शाम", "صباحا ومساء", "morgon och kväll", "morgen og aften",
        "aamuin illoin", "reggel és este", "πρωί και βράδυ", "pagi dan malam",
    ),
    (3, 1): (
        "1日3回", "内服・経口・１日３回朝昼夕食後", "一次1片，一日3次", "每日三次", "1일 3회 1정씩",
        "하루 세 번", "3 раза в день", "3 раза в сутки", "3 рази на день", "3 пъти дневно",
        "ครั้งละ 1 เม็ด วันละ 3 ครั้ง", "3 maal per dag", "3 x daags", "3x/j", "matin, midi et soir",
        "toutes les 8 heures", "cada 8 horas", "alle 8 Stunden", "ogni 8 ore", "elke 8 uur",
        "co 8 godzin", "каждые 8 часов", "每8小时", "8時間毎", "every 8 hours", "q8h",
        "8-stündlich", "1-1-1", "3x dziennie", "3 razy dziennie", "3x denně", "naponta 3x",
        "günde 3 kez", "3 gange dagligt", "3 ganger daglig", "3 gånger dagligen",
        "kolme kertaa päivässä",
        "3 volte al giorno", "3 vezes ao dia", "ngày 3 lần", "3 lần/ngày", "3 x sehari",
        "3 مرات يومياً", "3 φορές την ημέρα", "दिन में 3 बार", "3 פעמים ביום", "3 doses a day",
        "3x1 tablet daily", "1x3", "3 x 1 Tbl.", "8/8h", "de 8/8 horas", "a cada 8 horas",
        "cada 8 h", "c/8h", "c/ 8 hs", "1 comp c/8h", "3 dd 1 tablet", "1 tablett x 3",
        "co 8 godz.", "po 8 hodinách", "毎食後", "分3 毎食後",
    ),
    (4, 1): ("4 times a day", "four times daily", "4 x tgl.", "viermal täglich", "qid", "q6h",
             "1-1-1-1", "一日四次"),
    (5, 1): ("5 times a day", "5x täglich", "1日5回"),
    (1, 1): ("24/24h", "a cada 24 horas", "1 dd 1", "分1 朝食後", "दिन में एक बार",
             "1日1回", "1x täglich", "every 24 hours", "0-0-1", "ngày 1 lần"),
    (3, 7): ("3x1 pro Woche", "週3回",
             "週に3回", "주 3회", "3 раза в неделю", "7 d 3 x week", "3 gange om ugen"),
}  # fmt: skip
UNCOUNTED = (
    "2週1回", "2週間に1回", "2日1回", "4 x 500 mg", "500 mcg x 3 d", "within 8 hours", "0-0-0",
    "2021-1-1-1", "on 1-2-26", "1日量3錠", "not 3 times a day", "level 3 times a week",
    "every 0 hours", "for 8 hours", "1 mL x 7 days", "B12 1-2 mg",
    "2x2 cm", "day 2", "since 12/12/2026", "1 tab x 2 days", "1 tab x 2 weeks", "at 8 h", "2/52",
    "for 2/7", "page 2/2", "dose 1 of 2", "5分", "2-3 mL", "2 drops of water", "vitamin C 8",
    "1/2 tablet", "1x1", "1 g/24 h", "8/9h", "po 2 dni",
)  # fmt: skip


def test_a_number_of_times_a_day_is_read_in_the_words_of_many_languages() -> None:
    wrong = [
        (text, read)
        for (times, days), texts in COUNTED.items()
        for text in texts
        if not (read := stated_in(text, G).rhythms)
        or not all(one.is_near(Decimal(times), Decimal(days)) for one in read)
    ]
    wrong += [(text, read) for text in UNCOUNTED if (read := stated_in(text, G).rhythms)]
    assert not wrong
    assert not stated_in("for 8 hours", G).days


#: One dose in all, in words alone; and what only says how much each time, or when.
ONE_DOSE = (
    "1000 micrograms IM once", "1 mg IM x1", "1 mL IM, single dose", "once only",
    "Single injection", "1000 µg i.m. einmalig", "1 mL i.m., Einzeldosis", "nur einmal",
    "dose unique de 1 mg", "1 mg IM une fois", "dosis única", "1 ampolla IM una vez", "una tantum",
    "dose única", "uma vez", "1 mg eenmalig", "enkele dosis", "engangsdosis", "engångsdos",
    "kerta-annos", "jednorazowo", "tek doz", "однократно", "単回投与", "IM once (today)",
    "once. Weigh the child.",
)  # fmt: skip
NOT_ONE_DOSE = (
    "", "1 mL IM", "Give one injection into the thigh", "1000 mcg once in the morning",
    "once on Mondays", "1 mg IM once, then weekly", "once for 5 weeks", "1 dose every week",
    "single dose vial, 1 mL weekly", "one dose if needed", "einmal morgens", "once weekly",
    "einmal täglich", "una vez al mes",
)  # fmt: skip


@each("text", ONE_DOSE)
def test_one_dose_in_words_alone_is_too_little(text: str) -> None:
    line = a_dosage(times=None, route=MUSCLE, text=text)
    seen = see_orders(a_record(level=a_level(150)), an_injection(line))
    assert "ORD-16" in seen.rules
    assert not seen.shows("ORD-09")


@each("text", NOT_ONE_DOSE)
def test_words_that_leave_open_how_often_are_not_one_dose(text: str) -> None:
    line = a_dosage(times=None, route=MUSCLE, text=text)
    seen = see_orders(a_record(level=a_level(150)), an_injection(line))
    assert "ORD-16" not in seen.rules
    assert seen.shows("ORD-09")


@each("text", ("one dose", "give 1 dose", "one injection", "1 ampolla IM una vez"))
def test_how_much_each_time_does_not_contradict_a_rhythm(text: str) -> None:
    line = a_dosage(days=7, route=MUSCLE, text=text)
    assert not contradicts(see_orders(a_record(level=a_level(150)), an_injection(line)))


@each("text", ("einmalig", "dosis única", "once only"))
def test_once_in_all_contradicts_a_rhythm(text: str) -> None:
    line = a_dosage(days=7, route=MUSCLE, text=text)
    assert contradicts(see_orders(a_record(level=a_level(150)), an_injection(line)))
