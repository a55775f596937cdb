"""Checking and describing what the service was given: ``check``, ``describe``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands import BadInput, known_guidelines, translating

if TYPE_CHECKING:
    from cds_service.consultation import Service
    from cds_service.guidelines.guideline import Guideline
    from cds_service.trust.keys import Register


@click.command()
@click.option("--overrides", type=click.Path(), help="Instead of CDS_GUIDELINE_OVERRIDES.")
@click.option("--language", default="", help="Only this language, and fail if a text is old.")
@click.option("--settings", "show", is_flag=True, help="Also print each setting in force.")
def check(overrides: str | None, language: str, show: bool) -> None:
    """Check guideline data, code lists, languages, a site's overrides and codes, and the
    settings."""
    from cds_service.app import languages_in_use
    from cds_service.consultation import check_orders, load_services
    from cds_service.consultation.services import guidelines_of
    from cds_service.settings import read_settings

    settings = read_settings(os.environ)
    path = Path(overrides) if overrides else settings.guideline_overrides
    languages = languages_in_use(settings)
    services = load_services(path, known_guidelines(), settings.code_map, languages)
    for line in translating.told(guidelines_of(services), language):
        click.echo(line)
    if language:
        return
    for g in guidelines_of(services):
        for line in _told(g, check_orders(g), path, settings.code_map):
            click.echo(line)
    if settings.code_map:
        for line in _mapped(services, settings.code_map):
            click.echo(line)
    for line in _known(services):
        click.echo(line)
    from cds_service.app import make_register, make_restraint

    register = make_register(settings)  # reads the keys that are in files
    if register is not None:
        _tell_clients(register, settings.clients_file)
    if settings.trials:
        make_restraint(settings, services, None, register)
        click.echo(f"Trials: {len(settings.trials)}, all of existing names.")
    if settings.challenger:
        tried = guidelines_of(
            load_services(settings.challenger, known_guidelines(), settings.code_map)
        )
        changed = [name for g in tried for name in g.local]
        click.echo(f"Challenger: {', '.join(changed) or 'changes nothing'}.")
    _tell_keys(settings.free_text_keys)
    _tell_settings(show)
    click.echo("No problems found.")


def _told(g: Guideline, orders: int, *files: Path | None) -> Iterator[str]:
    """What one guideline contains, and what a site's ``files`` change in it."""
    yield f"Guideline {g.wording.about.id}, edition {g.wording.about.edition}"
    yield from (f"  {line}" for line in g.inventory(orders))
    given = " and ".join(str(file) for file in files if file)
    yield f"  local settings from {given}:" if given else "  no local settings"
    yield from (f"    {name}" for name in g.local)
    if given and not g.local:
        yield "    none: the file changes nothing"


def _mapped(services: Sequence[Service], path: Path) -> Iterator[str]:
    """What each of a site's own codes means here."""
    from cds_service.consultation.services import lists_of
    from cds_service.fhir.code_map import read_code_map

    code_map = read_code_map(path)
    yield f"Code map: {len(code_map.codes)} local codes in {path}"
    for local in code_map.codes:
        names = ", ".join(lists_of(services, local.code))
        meant = local.means if isinstance(local.means, str) else local.means.code
        named = f"{local.code.system or '(no system)'}|{local.code.code}"
        yield f"  {named}: {names or f'{meant}, which is on no code list: something else'}"
    if code_map.left_out:
        yield f"  {code_map.left_out} left out: not equal or equivalent to one code alone"


def _known(services: Sequence[Service]) -> Iterator[str]:
    """Whether the infants whose right answers are known are answered so, and which of them the
    site's changes answer differently. Raises `BadInput` on a wrong answer."""
    from cds_service.consultation import load_services
    from cds_service.consultation.known_answers import KnownAnswers

    known = KnownAnswers(services, lambda: load_services(guidelines=known_guidelines()))
    found = known.ask()
    if found.wrong:
        raise BadInput(f"Wrong answers about {', '.join(found.wrong)}: do not use this release.")
    yield f"Known answers: {len(known)} invented infants, answered as accepted."
    for name in found.changed_by_site:
        yield f"  {name}: answered differently by the local settings"


def _tell_settings(each: bool) -> None:
    """Which settings are given; with ``each`` also the value of every one."""
    from cds_service.settings import SETTINGS

    given = [name for name in SETTINGS if os.environ.get(name, "").strip()]
    click.echo(f"Settings: {', '.join(given) or 'all at their defaults'}.")
    for name, setting in SETTINGS.items() if each else ():
        value, plain = os.environ.get(name, "").strip(), setting.default.replace("`", "")
        value = "(set, not shown)" if value and setting.secret else value
        click.echo(f"  {name} = {value or f'(default: {plain})'}")


def _tell_keys(keys: Sequence[bytes]) -> None:
    """Which key encrypts comments, if any, by a hash that gives nothing of it away."""
    from hashlib import sha256

    if not keys:
        return
    names = [sha256(key).hexdigest()[:8] for key in keys]
    older = f", read with {', '.join(names[1:])} too" if names[1:] else ""
    click.echo(f"Comments: encrypted with the key {names[0]}{older}.")


def _tell_clients(register: Register, file: Path | None) -> None:
    click.echo(f"Clients: {len(register.clients)} in {file}")
    for client in register.clients:
        if client.suspended:
            click.echo(f"  {client.name}: suspended, refused every call")
            continue
        keys = client.jwks_file or client.jwks_url
        click.echo(f"  {client.name}: {client.issuer}, keys from {keys}")
        click.echo(f"    may name {', '.join(sorted(client.fhir_servers)) or 'no FHIR server'}")


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a page is stale.")
@click.option("--to", default="docs/guidelines", show_default=True, type=click.Path())
def describe(only_check: bool, to: str) -> None:
    """Write each guideline's page from its data."""
    from cds_service.consultation import load_services
    from cds_service.consultation.services import guidelines_of, stationery_of
    from cds_service.fhir.gather import prefetch_template

    stale = []
    for guideline in guidelines_of(load_services(guidelines=known_guidelines())):
        path = Path(to) / f"{guideline.wording.about.id}.md"
        page = guideline.describe(prefetch_template, stationery_of(guideline).language)
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        if before == page:
            click.echo(f"{path} is up to date.")
        elif only_check:
            stale.append(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
            click.echo(f"{path} written.")
    if stale:
        names = ", ".join(map(str, stale))
        raise click.ClickException(f"{names}: stale. Run cds-service describe and commit the page.")
