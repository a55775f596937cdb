"""The service's own texts: those that belong to no guideline.

Each struct is the schema of a table of ``texts/en.toml``. Code that uses one of its texts names it
here, ``say(house.Card.why)``; a guideline has schemas of its own for its texts.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from msgspec import Struct

from cds_service.language import Language, ids_of
from cds_service.language.catalogues import (
    ORIGINAL,
    Translation,
    check_ids,
    flattened,
    languages_in,
    path_of,
    read_catalogue,
    read_translation,
)


class List(Struct):
    """What separates the items of a `language.Listed`."""

    comma: str
    semicolon: str
    conjunction: str
    alternative: str


class Format(Struct):
    """How numbers are written with what they count."""

    amount: str
    percent: str
    days: str
    hours: str
    minutes: str
    seconds: str
    date: str
    day: str
    month: str
    on_day: str
    in_month: str
    in_year: str


class Month(Struct):
    """The months as a date names them."""

    jan: str
    feb: str
    mar: str
    apr: str
    may: str
    jun: str
    jul: str
    aug: str
    sep: str
    oct: str
    nov: str
    dec: str


class Card(Struct):
    """The labels of a card's lines, how many found no room, and how the button of a drug begins
    that is not the recommended one."""

    give: str
    advice: str
    ordered: str
    usual: str
    why: str
    before: str
    ask: str
    safety: str
    follow_up: str
    course: str
    finding: str
    caution: str
    background: str
    missing: str
    position: str
    source: str
    more: str
    not_shown: str
    not_offered: str
    alternative: str
    offered: str
    in_full: str
    translated: str


class Action(Struct):
    """What an action of a suggestion does, in full: some clients show nothing else."""

    prescribe: str
    test: str
    remove: str
    stop: str
    change: str
    change_named: str
    route: str
    raised: str
    left_out: str


class Priority(Struct):
    """How urgent a changed order becomes."""

    urgent: str
    asap: str
    stat: str


class Stale(Struct):
    """What a changed order no longer has, since it would still say the old one."""

    narrative: str
    rendered: str
    period: str
    supply: str
    substitution: str
    words: str
    site: str
    statements: str
    name: str


class Part(Struct):
    """What is to be done by hand with an order of which only a part was sent."""

    stop: str
    stop_too: str
    change: str
    then: str
    remove: str
    remove_unnamed: str
    order: str


class Order(Struct):
    """What orders count in."""

    day: str
    days: str
    weeks: str
    months: str


class Account(Struct):
    """What the account of a call says besides the codes of its outcome."""

    nothing_to_say: str
    not_evaluated: str
    withheld: str
    because: str
    unusable: str
    missing: str
    incomplete: str
    unreadable: str
    silent_over: str
    no_basket: str
    unreadable_drafts: str
    in_trial: str


class Reasoning(Struct):
    """How a conclusion was reached: what was seen, and the result of each rule."""

    unknown: str
    yes: str
    no: str
    none: str
    alternatives: str
    fact: str
    compared: str
    below: str
    at_most: str
    at_least: str
    above: str
    not_below: str
    not_at_most: str
    not_at_least: str
    not_above: str
    other_than: str
    answered: str
    unasked: str
    of_things: str
    not_so: str
    known: str
    table: str
    table_every: str
    table_first: str
    fired: str
    not_fired: str
    seen: str
    so: str
    row_seen: str
    not_reached: str
    not_asked: str


class Described(Struct):
    """What the page of a guideline says besides its data."""

    without_indispensable: str
    without_required: str
    without_optional: str
    without_welcome: str
    contents: str
    indispensable: str
    required: str
    optional: str
    welcome: str
    needs: str
    key: str
    resource: str
    what_for: str
    importance: str
    without: str
    templates: str
    limits: str
    limit: str
    holds: str
    means: str
    authority: str
    constant: str
    value: str
    cards: str
    card: str
    holds_when: str
    guideline_says: str
    card_of_rule: str
    why: str
    statement_cited: str
    evidence_cited: str
    rests_on: str
    texts: str
    text: str
    says: str
    reasons: str
    code: str
    reason: str
    statements: str
    statement: str
    kind: str
    served_by: str
    served_by_text: str
    to_come: str
    tables: str
    table: str
    fact: str
    name: str
    is_a: str
    rule: str
    condition: str
    exactly: str
    result: str
    first_answers: str
    every_answers: str
    both: str
    either: str
    some: str
    known: str
    fact_is: str
    negated: str
    fact_compared: str
    fact_includes: str
    otherwise: str
    yes_or_no_told: str
    yes_or_no_named: str
    yes_or_no: str
    number: str
    number_of: str
    day: str
    a_name: str
    names: str
    code_lists: str
    system: str
    display: str
    verified: str
    not_verified: str
    code_list: str
    code_list_within: str
    bibliography: str
    finding: str
    high: str
    medium: str
    low: str
    policy: str
    local: str
    published: str
    guideline: str


class Case(Struct):
    """The answer to a case in plain text."""

    bundle: str
    request: str
    evaluated: str
    evaluated_as_asked: str
    evaluated_as_set: str
    evaluated_as_written: str
    guideline: str
    card: str
    accept_one: str
    accept_any: str
    suggestion: str
    recommended: str
    action: str
    to_read: str
    link: str
    source: str
    nothing_to_say: str
    not_evaluated: str
    because: str
    evaluation: str
    outcome: str
    fired: str
    missing: str
    foreign: str
    local: str
    validation: str
    valid: str


class Report(Struct):
    """The report of what happened to the cards, in a terminal and as a page."""

    heading: str
    none: str
    too_few: str
    interval: str
    rate: str
    spread: str
    quartiles: str
    of_few: str
    week: str
    period: str
    all_calls: str
    calls_since: str
    calls_until: str
    calls_between: str
    calls_of: str
    first_and_last: str
    no_call: str
    by_rule: str
    by_indicator: str
    by_hook: str
    by_client: str
    by_week: str
    by_edition: str
    all_cards: str
    all_clients: str
    heard: str
    no_card: str
    children: str
    nothing_to_accept: str
    yes: str
    no: str
    no_reason: str
    no_reason_in_list: str
    with_comment: str
    reason: str
    calls: str
    shown: str
    counted: str
    accepted: str
    overridden: str
    ignored: str
    time_to_answer: str
    urgency: str
    rule: str
    of: str
    most_frequent_reason: str
    cards: str
    recommended: str
    offered: str
    taken: str
    answers: str
    median_and_quartiles: str
    why: str
    alike: str
    reworded: str
    changed: str
    only_live: str
    only_other: str
    with_a_card: str
    nothing_to_say: str
    not_evaluated: str
    hidden: str
    refused: str
    head_calls: str
    head_overridden: str
    head_reasons: str
    head_categories: str
    no_category: str
    head_suggestions: str
    head_times: str
    head_not_shown: str
    head_card: str
    beside_live: str
    beside_live_unnamed: str
    none_beside_live: str
    answered_by_both: str
    more_without_live: str
    alike_means: str
    how_to_read: str
    counted_is: str
    ignored_is: str
    silent: str
    young: str
    interval_is: str
    accepted_is: str
    time_is: str
    time_is_odd: str
    unknown_cards: str
    shown_again: str


class Page(Struct):
    """What only the page of the report says."""

    language: str
    cards_shown: str
    in_answer_to: str
    of: str
    of_counted: str
    half_of_them: str
    leaves_out: str
    young: str
    divided: str
    not_yet_counted: str
    taken_and_overridden: str
    rules_plot: str
    rules_caption: str
    rules_caption_some: str
    most_overridden: str
    first_by_number: str
    card: str
    nothing_overridden: str
    why_overridden: str
    reasons_plot: str
    reasons_caption: str
    reasons: str
    reason: str
    code: str
    rarer_reasons: str
    with_comment: str
    how_fast: str
    times_plot: str
    times_caption: str
    answer: str
    lower_quartile: str
    median: str
    upper_quartile: str
    suggestions: str
    suggestion: str
    asked: str
    hook: str
    all_hidden: str
    children: str
    not_shown: str
    would_be: str
    held_back: str
    why_not_shown: str
    beside_live: str
    beside_live_unnamed: str
    without_live: str
    answered_by_both: str
    card_by_card: str
    how_to_read: str
    dot_label: str
    curve_label: str
    rule_label: str


class Kept(Struct):
    """What is kept of a call, in words."""

    consultation: str
    service: str
    service_instance: str
    client: str
    patient: str
    asked_by: str
    fhir_server: str
    answered: str
    answered_in_stages: str
    stage: str
    refused: str
    guideline: str
    tried: str
    settings: str
    language: str
    outcome: str
    rule: str
    rule_because: str
    fired: str
    no_rule: str
    missing: str
    nothing_missing: str
    unread: str
    needs: str
    need: str
    card: str
    card_not_shown: str
    suggestion: str
    suggestion_recommended: str
    feedback: str
    feedback_detailed: str
    no_feedback: str


class Workbench(Struct):
    """What the workbench shows besides its own page."""

    not_today: str
    not_named: str
    range: str
    no_local_settings: str
    local_settings: str
    about: str
    table: str
    stories: str


class Clinic(Struct):
    """The report of a whole clinic, as a page."""

    heading: str
    as_of: str
    not_clinical: str
    read: str
    funnel: str
    of_group: str
    few: str
    hidden: str
    rates: str
    rate: str
    children: str
    of: str
    lists: str
    nobody: str
    first_of: str
    in_the_table: str
    child: str
    age: str
    urgency: str
    status: str
    level: str
    date: str
    treatment: str
    card: str
    due: str
    statuses: str
    data: str
    data_lead: str
    missing: str
    missing_caption: str
    need: str
    unread: str
    unread_caption: str
    why: str
    system: str
    code: str
    lacking: str
    lines: str
    of_no_child: str
    kind: str
    count: str
    same_version: str
    refused: str
    beside: str
    complete: str


#: Every table of the catalogue except "unit", which has UCUM units as people write them.
TABLES: tuple[type[Struct], ...] = (
    List,
    Format,
    Month,
    Card,
    Action,
    Priority,
    Stale,
    Part,
    Order,
    Account,
    Reasoning,
    Described,
    Case,
    Report,
    Page,
    Kept,
    Workbench,
    Clinic,
)
FOLDER = Path(__file__).parent


def languages() -> tuple[str, ...]:
    """Those in which the service has its own texts, the original first."""
    return languages_in(FOLDER)


@cache
def translation(tag: str) -> Translation:
    """The service's own texts in another language. Raises `CatalogueError`."""
    return read_translation(FOLDER, tag)


@cache
def language(tag: str = ORIGINAL) -> Language:
    """The service's own texts in one language. Raises `CatalogueError`."""
    originals = dict(flattened(read_catalogue(FOLDER)))
    units = [name for name in originals if name.startswith("unit.")]
    check_ids(
        path_of(FOLDER), [*units, *(one for table in TABLES for one in ids_of(table))], originals
    )
    if tag == ORIGINAL:
        return Language(tag, originals)
    texts = translation(tag).in_force(originals)
    return Language(tag, texts, Language(ORIGINAL, originals))
