"""The guideline in forms that others can read or run: ``export``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal

import click

from cds_service.commands import known_guidelines

if TYPE_CHECKING:
    from cds_service.fhir.artefacts import Authority, Group, Home, Json
    from cds_service.guidelines.engine import Wording
    from cds_service.guidelines.guideline import Guideline, Published, Regimen


@click.command()
@click.option(
    "--form",
    type=click.Choice(["table", "cpg"]),
    required=True,
    help="table: CSV and DMN 1.3. cpg: FHIR artefacts with CQL.",
)
@click.option(
    "--to",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder that is new or empty.",
)
def export(form: str, to: Path) -> None:
    """Write each guideline as it is in force here, for programs and people without this one.

    Each is in a folder of its own, whose README.md says what it holds and what it does not.
    """
    from cds_service.consultation import load_services
    from cds_service.consultation.services import guidelines_of
    from cds_service.settings import read_settings

    if to.exists() and any(to.iterdir()):
        raise click.ClickException(f"{to} is not empty: name a folder that is new or empty.")
    settings = read_settings(os.environ)
    services = load_services(settings.guideline_overrides, known_guidelines(), settings.code_map)
    for guideline in guidelines_of(services):
        folder = to / guideline.wording.about.id
        count = 0
        for name, content in _FORMS[form](guideline):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode())
            count += 1
        click.echo(f"{folder}: {count} files.")


def _tables(guideline: Guideline) -> Iterator[tuple[str, str]]:
    from cds_service.guidelines import sheets

    about = guideline.wording.about
    return sheets.files_of(guideline.decision_tables(), about, guideline.local)


def _artefacts(guideline: Guideline) -> Iterator[tuple[str, str]]:
    from cds_service.fhir import artefacts

    made = _Artefacts(guideline)
    for name, source in made.sources.items():
        yield f"cql/{name}.cql", source
    resources = [*made.resources()]
    about = guideline.wording.about
    resources.append(artefacts.guide(made.home, about.id, resources))
    for one in resources:
        yield f"{one['resourceType']}-{one['id']}.json", artefacts.written(one)
    yield "README.md", made.page(resources)


_FORMS = {"table": _tables, "cpg": _artefacts}


class _Artefacts:
    """A guideline as artefacts of FHIR."""

    def __init__(self, guideline: Guideline) -> None:
        from cds_service import PROGRAM
        from cds_service.consultation.services import stationery_of
        from cds_service.fhir.artefacts import Home
        from cds_service.guidelines import cql

        self._guideline, about = guideline, guideline.wording.about
        self._language = stationery_of(guideline).language
        self._tables: Sequence[Published] = tuple(guideline.decision_tables())
        self._regimens: Sequence[Regimen] = tuple(guideline.regimens())
        base = f"https://{PROGRAM}.github.io/{about.id}"
        self.home: Home = Home(base, about.edition, about.title, about.review_status)
        self._of_tables = cql.library_name(about, "tables")
        self._of_data = cql.library_name(about, "data")
        self._of_facts = cql.library_name(about, "facts")
        self._of_logic = cql.library_name(about, "logic")
        self.sources: Mapping[str, str] = {
            self._of_tables: cql.tables_of(self._tables, about),
            self._of_data: cql.data_of(guideline),
            self._of_facts: cql.facts_of_charts(self._tables, about, guideline.facts_in_cql),
            self._of_logic: cql.logic_of(
                self._tables, about, self._regimens, guideline.facts_in_cql
            ),
        }

    def resources(self) -> Iterator[Json]:
        """All but the list of them."""
        from cds_service.fhir.artefacts import library, plan

        title, home = self._guideline.wording.about.title, self.home
        tables, data, facts, logic = self.sources
        yield library(home, tables, f"{title}: decision tables", self.sources[tables])
        yield library(home, data, f"{title}: codes and limits", self.sources[data])
        yield library(home, facts, f"{title}: facts", self.sources[facts], [tables, data])
        yield library(home, logic, f"{title}: logic", self.sources[logic], [tables, facts])
        for offer in self._guideline.offers:
            asked = [
                one for one in self._tables if offer.hook != "patient-view" or not one.of_orders
            ]
            groups = [self._group(one) for one in asked]
            yield plan(home, offer.hook, offer.title, offer.description, logic, groups)
        yield from self._activities()
        yield from self._value_sets()
        yield from self._code_systems()

    def _group(self, one: Published) -> Group:
        from cds_service.fhir.artefacts import Group, Step
        from cds_service.guidelines import cql

        table, wording = one.table, self._guideline.wording
        selection: Literal["exactly-one", "at-most-one", "any"] = "any"
        if table.first:
            selection = "exactly-one" if table.complete else "at-most-one"
        steps = [
            Step(
                row.id,
                table.words.rows[row.rule].condition,
                table.words.rows[row.rule].result,
                cql.holding(row.id),
                _authorities(table.words.rows[row.rule].source, wording),
                {
                    regimen.name: cql.offered(regimen.name)
                    for regimen in self._regimens
                    if regimen.row == row.id
                },
            )
            for row in table.rows
        ]
        return Group(
            one.name, one.name, table.words.question, cql.asked(one.name), cql.unasked(one.name),
            selection, tuple(steps),
        )  # fmt: skip

    def _activities(self) -> Iterator[Json]:
        from cds_service.clinical import PlannedTask, PlannedTest
        from cds_service.fhir.artefacts import activity
        from cds_service.fhir.orders import write
        from cds_service.guidelines.cql import amount_of

        language, home = self._language, self.home
        for one in self._regimens:
            amount = amount_of(one.name) if one.per_kg is not None else ""
            order = write(one.plan, "example", language).resource
            title = one.name if amount else language.text(one.label)
            yield activity(home, one.name, title, order, amount, self._of_logic if amount else "")
        for name, planned in self._guideline.specimens():
            match planned:
                case PlannedTest(name=called) | PlannedTask(description=called):
                    order = write(planned, "example", language).resource
                    yield activity(home, name, language.text(called), order)

    def _value_sets(self) -> Iterator[Json]:
        from cds_service.fhir.artefacts import Listed, value_set

        purposes = self._guideline.purposes
        for one in self._guideline.code_lists:
            for verified, name in ((True, one.name), (False, f"{one.name}-unverified")):
                codes = [
                    Listed(row.system, row.code, row.display)
                    for row in one.codes
                    if row.verified is verified
                ]
                if codes:
                    yield value_set(self.home, name, purposes.get(one.name, one.name), codes)

    def _code_systems(self) -> Iterator[Json]:
        from cds_service.fhir.artefacts import Concept, code_system

        about = self._guideline.wording.about
        rows = [
            Concept(
                row.id,
                one.table.words.rows[row.rule].condition,
                one.table.words.rows[row.rule].result,
            )
            for one in self._tables
            for row in one.table.rows
        ]
        yield code_system(self.home, "rows", f"{about.title}: rows", rows)
        cards = self._guideline.wording.cards.items()
        told = [Concept(name, card.summary, card.advice) for name, card in cards]
        yield code_system(self.home, "cards", f"{about.title}: cards", told)

    def page(self, resources: Sequence[Json]) -> str:
        from cds_service.guidelines import cql

        about, facts = self._guideline.wording.about, self._guideline.facts_in_cql
        counted = {
            kind: sum(one["resourceType"] == kind for one in resources)
            for kind in ("PlanDefinition", "ActivityDefinition", "ValueSet")
        }
        page = Template(Path(cql.__file__).with_suffix(".md").read_text(encoding="utf-8"))
        return page.substitute(
            title=about.title,
            id=about.id,
            edition=about.edition,
            review=about.review_status,
            plans=counted["PlanDefinition"],
            activities=counted["ActivityDefinition"],
            value_sets=counted["ValueSet"],
            tables_library=self._of_tables,
            data_library=self._of_data,
            logic_library=self._of_logic,
            example=self._tables[0].name,
            local="\n".join(f"- {name}" for name in self._guideline.local) or "- nothing",
            facts_library=self._of_facts,
            read=", ".join(one.name for one in self._tables if cql.reads(one.name, facts)) or "-",
            charts=cql.told_of_charts(facts),
            rows="\n".join(cql.rows_told(self._tables, facts)),
        )


def _authorities(source: str, wording: Wording) -> tuple[Authority, ...]:
    """What a source names: publications, sentences of the guideline, or a choice in words."""
    from cds_service.fhir.artefacts import Authority

    found: list[Authority] = []
    for name in source.split(", "):
        if name in wording.sources:
            one = wording.sources[name]
            found.append(Authority(name, one.citation, one.url))
        elif name in wording.statements:
            found.append(Authority(name, wording.statements[name].text))
        else:
            return (Authority(source),)
    return tuple(found)
