"""Decision tables as CQL: a library with a function for each table, from facts to rows.

A table that stops at its first row answers with its id, or null where none holds; the others with a
list of ids. What follows from a row is a second function. What a guideline itself reads of a chart
rests on a library of its codes and limits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from string import Template
from typing import Any

import msgspec

from cds_service.clinical import Code
from cds_service.guidelines.codelists import CodeRow, compared
from cds_service.guidelines.dialects import CQL, SIGNS, Writer, listed, number, results
from cds_service.guidelines.engine import About
from cds_service.guidelines.guideline import Guideline, Lexicon, Published, Regimen
from cds_service.guidelines.tables import Kind, Named, Row, Table, condition_of, facts_of, kinds

_TYPES: dict[Kind, str] = {
    "yes or no": "Boolean", "whole number": "Integer", "number": "Decimal", "text": "String",
    "list": "List<String>",
}  # fmt: skip


def library_name(about: About, part: str) -> str:
    """What a library of a guideline is called: an identifier of CQL."""
    words = re.findall(r"[A-Za-z0-9]+", f"{about.id} {part}")
    return "".join(word[0].upper() + word[1:] for word in words)


def tables_of(tables: Iterable[Published], about: About) -> str:
    """The library of all tables."""
    return "\n".join(_library(tables, about)) + "\n"


def _library(tables: Iterable[Published], about: About) -> Iterator[str]:
    yield f"library {library_name(about, 'tables')} version {CQL.text(about.edition)}"
    for one in tables:
        yield ""
        yield _remark(f"{one.table.words.title}: {one.table.words.question}")
        yield from _rows(one.name, one.table)
        yield ""
        yield from _results(one.name, one.table)


def _rows(name: str, table: Table[Any, Any]) -> Iterator[str]:
    """The function from facts to rows."""
    writer = Writer.of(table, CQL, lambda fact: f'facts."{fact}"')
    yield f'define function "{answer_of(name, table)}"(facts {facts_type(table)}):'
    if table.first:
        yield "  case"
        for row in table.rows:
            yield _remark(table.words.rows[row.rule].condition, 4)
            yield f"    when {writer.written(condition_of(row))} then {CQL.text(row.id)}"
        yield "    else null\n  end"
        return
    yield "  ({"
    for place, row in enumerate(table.rows):
        yield _remark(table.words.rows[row.rule].condition, 4)
        end = "" if place == len(table.rows) - 1 else ","
        asked = writer.written(condition_of(row))
        yield f"    if {asked} then {CQL.text(row.id)} else null as String{end}"
    yield "  }) row where row is not null"


def _results(name: str, table: Table[Any, Any]) -> Iterator[str]:
    """The function from a row to what follows from it, where anything does."""
    types: dict[str, str] = {}
    for row in table.rows:
        for result, kind in _types(row):
            types[result] = kind or types.get(result, "")
    if not types:
        return
    yield f'define function "{name} result"(row String):'
    yield "  case row"
    for row in table.rows:
        told = results(row.then)
        if told:
            parts = ", ".join(
                f'"{one}": {_literal(told[one], kind or "String")}' for one, kind in types.items()
            )
            yield f"    when {CQL.text(row.id)} then Tuple {{ {parts} }}"
    yield "    else null\n  end"


def _types(row: Row[Any]) -> Iterator[tuple[str, str]]:
    """The type of each result of a row, "" where it has no value."""
    for name, value in results(row.then).items():
        plain = msgspec.to_builtins(value)
        if isinstance(plain, bool):
            yield name, "Boolean"
        elif isinstance(plain, list | tuple):
            yield name, "List<String>"
        else:
            yield name, "" if plain is None else "String"


def answer_of(name: str, table: Table[Any, Any]) -> str:
    """The name of a table's function from facts to its row, or rows."""
    return f"{name} row" if table.first else f"{name} rows"


def facts_type(table: Table[Any, Any]) -> str:
    """The type of a table's facts."""
    parts = [f'"{fact}" {_TYPES[kind]}' for fact, kind in kinds(table.facts).items()]
    return f"Tuple {{ {', '.join(parts)} }}"


def _literal(value: Any, kind: str) -> str:
    plain = msgspec.to_builtins(value)
    if plain is None:
        return f"null as {kind}"
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, list | tuple):
        return listed(plain, CQL) if plain else f"{{}} as {kind}"
    return f"{plain:f}" if isinstance(plain, Decimal) else CQL.text(str(plain))


def data_of(guideline: Guideline) -> str:
    """The library that reading a chart needs: which codes mean what, by the verified rows alone;
    on which side of each limit a number is; the constants; and the whole answers in small letters
    that are understood, by what they say."""
    return "\n".join(_data(guideline)) + "\n"


def _data(guideline: Guideline) -> Iterator[str]:
    about = guideline.wording.about
    yield f"library {library_name(about, 'data')} version {CQL.text(about.edition)}"
    for name, limit in guideline.limits.items():
        yield ""
        yield _remark(f"{limit.means} ({limit.unit})")
        yield f'define function "{name}"(number Decimal):'
        yield f"  number is not null and number {SIGNS[limit.side]} {number(limit.value, 'number')}"
    for name, constant in guideline.constants.items():
        yield f'\ndefine "{name}": {number(constant, "number")}'
    yield from _lexicon(guideline.lexicon)
    yield ""
    yield _remark("ICD-10 is written with and without its dot, and in small letters")
    yield f'define function "as compared"(written String):\n  {_WITHOUT_DOTS}'
    for one in guideline.code_lists:
        rows = [row for row in one.codes if row.verified]
        yield f'\ndefine function "is {one.name}"(codings {_CODINGS}):'
        yield _among([*_asked(rows)])


def _lexicon(lexicon: Lexicon) -> Iterator[str]:
    for name, chosen in lexicon.choices.items():
        yield f'\ndefine "{name}": {CQL.text(chosen)}'
    for name, words in lexicon.answers.items():
        yield f'\ndefine function "says {name}"(answer String):'
        yield f"  answer is not null and answer in {listed(words, CQL)}"
    yield ""
    yield _remark("Small letters and digits alone; null where it has any others")
    yield f'define function "squeezed"(name String):\n  {_SQUEEZED}'
    for name, words in lexicon.names.items():
        held = sorted({_squeezed(one) for one in words if one.isascii()})
        yield f'\ndefine function "may name {name}"(name String):'
        yield f'  "squeezed"(name) is null or exists (({listed(held, CQL)}) one'
        yield '    where PositionOf(one, "squeezed"(name)) >= 0)'
    for name, curve in lexicon.curves.items():
        yield f'\ndefine function "{name}"(at Integer):\n  case'
        for place in reversed(range(len(curve))):
            points = ", ".join(number(one, "number") for one in curve[place])
            yield f"    when at >= {place} then {{ {points} }}"
        yield "    else null\n  end"
    yield f'\ndefine function "is ordered"(codings {_CODINGS}):'
    yield _among([_test(one) for one in lexicon.ordered])


def _test(code: Code) -> str:
    said = f"one.code = {CQL.text(code.code)}"
    return f"({f'one.system = {CQL.text(code.system)} and ' if code.system else ''}{said})"


def _among(conditions: Sequence[str]) -> str:
    """Whether one of the codings fulfils one of the conditions."""
    return "  exists (codings one where " + ("\n    or ".join(conditions) or "false") + ")"


#: Codes of a chart, as the functions of code lists are given them.
_CODINGS = "List<Tuple { system String, code String }>"
_WITHOUT_DOTS = "Upper(Combine(Split(written, '.')))"
#: Letters of other scripts, and accents, are more than an engine is asked to know.
_SQUEEZED = (
    "if name is null or not Matches(name, '^[ -~]*$') then null as String\n"
    "  else ReplaceMatches(Lower(name), '[^a-z0-9]', '')"
)


def _squeezed(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _asked(rows: Iterable[CodeRow]) -> Iterator[str]:
    """A condition for the codes of each system, and one for its families of codes."""
    exact: dict[str, list[str]] = {}
    families: dict[str, list[str]] = {}
    for row in rows:
        code = compared(row.system, row.code)
        of_kind = families if code.endswith("*") else exact
        of_kind.setdefault(row.system, []).append(code.removesuffix("*"))
    for system, codes in exact.items():
        yield f"(one.system = {CQL.text(system)} and {_code(system)} in {listed(codes, CQL)})"
    for system, begins in families.items():
        starts = (
            f"exists (({listed(begins, CQL)}) family where StartsWith({_code(system)}, family))"
        )
        yield f"(one.system = {CQL.text(system)} and {starts})"


def _code(system: str) -> str:
    """The code of a coding as codes of its system are compared."""
    return "one.code" if compared(system, "a.b") == "a.b" else '"as compared"(one.code)'


def facts_of_charts(tables: Sequence[Published], about: About, written: str) -> str:
    """The library that has the facts of each table: as ``written`` for this guideline, where
    ``$status`` is the type of the facts of that table and ``$codings`` that of codes, and null
    where nothing is, which the implementer replaces."""
    version = CQL.text(about.edition)
    types = {one.name: facts_type(one.table) for one in tables}
    lines = [
        f"library {library_name(about, 'facts')} version {version}",
        "using FHIR version '4.0.1'",
        *(
            f"include {library_name(about, part)} version {version} called {part.capitalize()}"
            for part in ("tables", "data")
        ),
        "",
        Template(written.rstrip("\n")).substitute(types, codings=_CODINGS),
    ]
    for one in tables:
        if not reads(one.name, written):
            lines += ["", f'define "{one.name} facts":', f"  null as {facts_type(one.table)}"]
    return "\n".join(lines) + "\n"


def reads(name: str, written: str) -> bool:
    """Whether the facts of a table are read from a chart."""
    return f'define "{name} facts":' in written or asks_of_each(name, written)


def asks_of_each(name: str, written: str) -> bool:
    """Whether a table is asked of several things in a chart, of which ``written`` has a list."""
    return f'define "{name} facts each":' in written


def logic_of(
    tables: Sequence[Published], about: About, regimens: Iterable[Regimen], written: str
) -> str:
    """The library that plans ask: the facts of a table are those of the library of facts, unless a
    parameter gives them; each row is a Boolean that is never null; and a table without facts is not
    asked. What is ``written`` of charts may say why one is not read."""
    return "\n".join(_logic(tables, about, regimens, written)) + "\n"


def _logic(
    tables: Sequence[Published], about: About, regimens: Iterable[Regimen], written: str
) -> Iterator[str]:
    version = CQL.text(about.edition)
    yield f"library {library_name(about, 'logic')} version {version}"
    yield "using FHIR version '4.0.1'"
    for part in ("tables", "facts"):
        yield f"include {library_name(about, part)} version {version} called {part.capitalize()}"
    yield ""
    # Without a default the JavaScript engine takes a parameter that is not given for a value.
    for one in tables:
        yield f'parameter "{one.name} facts" {facts_type(one.table)} default null'
    yield f'parameter "{KILOGRAMS}" Decimal default null'
    yield "\ncontext Patient"
    if f'define "{NOT_READ}"' in written:
        yield "\n// Why most of the chart is not read; empty where it is."
        yield f'define "{NOT_READ}": Facts."{NOT_READ}"'
    if f'define "{ORDERS}"' in written:
        yield "\n// What is offered: activities by their names, null where the chart is not read."
        yield f'define "{ORDERS}": Facts."{ORDERS}"'
    for one in tables:
        yield ""
        yield _remark(f"{one.table.words.title}: {one.table.words.question}")
        each = asks_of_each(one.name, written)
        yield from _asking_each(one) if each else _asking(one)
        answer = f"{one.name} row" if one.table.first and not each else f"{one.name} rows"
        for row in one.table.rows:
            held = f'{CQL.text(row.id)} in "{answer}"'
            if answer.endswith(" row"):
                held = f'"{answer}" = {CQL.text(row.id)}'
            yield f'define "{holding(row.id)}":'
            yield f"  Coalesce({held}, false)"
    yield from _ordering(tables, regimens, written)


def _ordering(
    tables: Sequence[Published], regimens: Iterable[Regimen], written: str
) -> Iterator[str]:
    """Which regimens are offered, and how much of those that depend on the weight."""
    if f'define "{KILOGRAMS}"' in written:
        kilograms = f'if "{KILOGRAMS}" is not null then "{KILOGRAMS}" else Facts."{KILOGRAMS}"'
    else:
        kilograms = f'"{KILOGRAMS}"'
    yield f'\ndefine "{KILOGRAMS} in force":\n  {kilograms}'
    table_of = {row.id: one.name for one in tables for row in one.table.rows}
    for regimen in regimens:
        yield ""
        yield from _offering(regimen.name, table_of[regimen.row], written)
        if regimen.per_kg is not None:
            yield from _amount(regimen.name, regimen.per_kg)


def _asking(one: Published) -> Iterator[str]:
    """A table that is asked once: whether it is, its answer, and what follows from that."""
    given, facts = f'"{one.name} facts"', f'"{one.name} facts in force"'
    answer = answer_of(one.name, one.table)
    none = "null as String" if one.table.first else "{} as List<String>"
    yield f"define {facts}:\n  if {given} is not null then {given} else Facts.{given}"
    yield from _whether(one.name, facts)
    yield f'define "{answer}":'
    yield f'  if {facts} is null then {none} else Tables."{answer}"({facts})'
    if not any(results(row.then) for row in one.table.rows):
        return
    if one.table.first:
        yield f'define "{one.name} result":\n  Tables."{one.name} result"("{answer}")'
    else:
        yield from _results_of(one.name)


def _asking_each(one: Published) -> Iterator[str]:
    """A table that is asked of each of several: its answers are the rows of all."""
    name = one.name
    given, facts, answer = f'"{name} facts"', f'"{name} facts in force"', f'"{name} rows"'
    yield f"define {facts}:\n  if {given} is not null then {{ {given} }}"
    yield f'  else Facts."{name} facts each"'
    yield from _whether(name, facts)
    yield f"define {answer}:\n  if {facts} is null then {{}} as List<String>"
    asked = f'Tables."{answer_of(name, one.table)}"(one)'
    if one.table.first:
        yield f"  else ({facts} one let row: {asked} where row is not null return all row)"
    else:
        yield f"  else flatten ({facts} one return all {asked})"
    if any(results(row.then) for row in one.table.rows):
        yield from _results_of(name)


def _whether(name: str, facts: str) -> Iterator[str]:
    yield f'define "{asked(name)}":\n  {facts} is not null'
    yield f'define "{unasked(name)}":\n  {facts} is null'


def _results_of(name: str) -> Iterator[str]:
    told = f'Tables."{name} result"(row)'
    yield f'define "{name} results":\n  "{name} rows" row return all {told}'


#: The parameter, and the definition of what a chart says, of the weight to dose by.
KILOGRAMS = "kilograms"
#: The expression of why a chart is not read, in words.
NOT_READ = "not read"
#: The expression of what is offered for a chart that is read.
ORDERS = "orders"


def told_of_charts(written: str) -> str:
    """What the remark at the head of what is ``written`` says: of each of its paragraphs one of the
    page."""
    head = written.partition("\n\n")[0] if written.startswith("//") else ""
    lines = [line.removeprefix("//").strip() for line in head.splitlines()]
    return "\n".join(line or "\n" for line in lines)


def rows_told(tables: Iterable[Published], written: str) -> Iterator[str]:
    """A line of Markdown for each row: how much of it is exported, on which facts it rests, and
    whether they are among those ``written`` to be read from a chart."""
    for one in tables:
        origin = "from the chart" if reads(one.name, written) else "to be given"
        if asks_of_each(one.name, written):
            origin = "from the chart, of each"
        of_table = set(kinds(one.table.facts))
        fixed = _fixed(of_table, written)
        for row in one.table.rows:
            facts = sorted(facts_of(condition_of(row)) & of_table)
            named = ", ".join(f"`{fact}`" for fact in facts) or "-"
            exact = _how_exact(row, {fact: fixed[fact] for fact in facts if fact in fixed})
            yield f"| {row.id} | {exact} | {one.name}: {named} | {origin} |"


def _how_exact(row: Row[Any], fixed: Mapping[str, str]) -> str:
    parts = condition_of(row).parts()
    told = "by a function" if any(isinstance(part, Named) for part in parts) else "exact"
    if not fixed:
        return told
    always = ", ".join(f"`{fact}` is always {value}" for fact, value in fixed.items())
    return f"{told}; narrower: {always}"


#: A fact that has the same value in every chart that is read, and what a reader calls the value.
_FIXED = re.compile(r"""\"(\w+)\": (true|false|null|\{\}|'')(?: as [\w<>]+)?,?""")
_CALLED = {"null": "not known", "{}": "none", "''": "none"}


def _fixed(facts: Collection[str], written: str) -> dict[str, str]:
    """The facts of a table that have one value wherever ``written`` states all of them."""
    stated = [
        block.splitlines() for block in re.findall(r"Tuple \{\n(.*?)\n  \}", written, re.DOTALL)
    ]
    of_table = [
        {found[1]: found[2] for line in lines if (found := _FIXED.fullmatch(line.strip()))}
        for lines in stated
        if {line.split('"')[1] for line in lines if line.startswith('    "')} == set(facts)
    ]
    if not of_table:
        return {}
    first, *others = of_table
    return {
        fact: _CALLED.get(value, value)
        for fact, value in first.items()
        if all(one.get(fact) == value for one in others)
    }


def _offering(name: str, table: str, written: str) -> Iterator[str]:
    """Whether a row that holds means this regimen: where ``written`` has the orders of a chart, one
    of these; else an implementer chooses."""
    yield f'define "{offered(name)}":'
    if f'define "{ORDERS}":' not in written:
        yield "  true"
        return
    yield f'  "{table} facts" is not null or Facts."{ORDERS}" is null'
    yield f'    or exists (Facts."{ORDERS}" one where one.activity = {CQL.text(name)})'


def offered(name: str) -> str:
    """The expression of whether a regimen is one to choose from."""
    return f"{name} offered"


#: What an amount is rounded to here, half up: a tenth.
_PER_UNIT = 10


def _amount(name: str, per_kg: Decimal) -> Iterator[str]:
    """An amount by weight in whole numbers, from grams: binary fractions would turn a half down."""
    scale = 10 ** max(0, -int(per_kg.as_tuple().exponent))
    factor = int(per_kg * scale) * _PER_UNIT
    whole = 1000 * scale
    yield _remark(f"{per_kg:f} for each kilogram, rounded half up to a tenth")
    yield f'define "{amount_of(name)}":'
    yield f'  if "{KILOGRAMS} in force" is null then null as Decimal'
    yield (
        f'  else (ToDecimal((Truncate("{KILOGRAMS} in force" * 1000.0 + 0.5) * {factor}'
        f" + {whole // 2}) div {whole}) / {_PER_UNIT}.0)"
    )


def amount_of(name: str) -> str:
    """The expression of the amount of a regimen that depends on the weight."""
    return f"amount of {name}"


def holding(row: str) -> str:
    """The expression of whether a row holds."""
    return f"{row} holds"


def asked(name: str) -> str:
    """The expression of whether a table is asked."""
    return f"{name} asked"


def unasked(name: str) -> str:
    """The expression of whether a table is not asked, since its facts are not given."""
    return f"{name} not asked"


def _remark(text: str, margin: int = 0) -> str:
    return f"{' ' * margin}// {' '.join(text.split())}"
