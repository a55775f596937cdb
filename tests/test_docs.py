"""The documents say what is true: links lead somewhere; settings and commands are written down."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote

import click
import pytest
from each import each
from project_files import FILES, ROOT, text_of
from reference import pages

from cds_service.__main__ import main

# Set for the tests, read by no service.
TEST_VARIABLES = {
    "CDS_TEST_COHORT",
    "CDS_TEST_DATA",
    "CDS_TEST_ACTIONLINT",
    "CDS_TEST_AXE",
    "CDS_TEST_CHROMIUM",
    "CDS_TEST_HAPI",
    "CDS_TEST_IMAGE",
    "CDS_TEST_POSTGRESQL",
    "CDS_TEST_R4_EXAMPLES",
    "CDS_TEST_SAMPLE",
    "CDS_TEST_SPARK",
    "CDS_TEST_SYSTEMD",
    "CDS_TEST_UCUM",
    "CDS_TEST_SERVERS",
    "CDS_REQUIRE_ALL_TESTS",
}


MARKDOWN = sorted(name for name in FILES if name.endswith(".md"))
# What people read to use the service; the glossary and the changelog explain, they don't instruct.
MANUALS = [
    n
    for n in MARKDOWN
    if n in {"README.md", "DEVELOPERS.md", "tests/README.md"} or n.startswith("docs/")
]

# The site is made for readers of the service; these are for who reads the source, or for a forge.
NOT_ON_THE_SITE = {
    ".github/pull_request_template.md",
    "cds_service/guidelines/cql.md",
    "cds_service/guidelines/sheets.md",
    "docs/index.md",
    "fhir_samples/README.md",
    "tests/guidelines/toy/README.md",
}


@cache
def prose_of(name: str) -> str:
    """The Markdown without code, where brackets mean something else."""
    without_blocks = re.sub(r"^(```|~~~).*?^\1", "", text_of(name), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", without_blocks)


@cache
def anchors_of(name: str) -> set[str]:
    """The anchors that GitHub gives the headings of a Markdown file."""
    text = re.sub(r"^(```|~~~).*?^\1", "", text_of(name), flags=re.M | re.S)
    found: set[str] = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, flags=re.M):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


@each("name", MARKDOWN)
def test_nothing_is_listed_twice(name: str) -> None:
    items = re.findall(r"^\[?- (.{40,})$", prose_of(name), flags=re.M)
    assert sorted(items) == sorted(set(items))


@each("name", MARKDOWN)
def test_every_link_inside_the_project_leads_somewhere(name: str) -> None:
    prose = prose_of(name)
    assert not re.search(r"\]\([^)]*\n", prose), f"{name}: a link goes on in the next line"
    links = re.findall(r"\]\(<?([^)<>\s]+)>?(?:\s+\"[^\"]*\")?\)", prose)
    links += re.findall(r"^\[[^\]]+\]:\s*(\S+)", prose, flags=re.M)
    for link in links:
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        assert not path.startswith("/"), f"{name}: {link} only works on one machine"
        goal = (FILES[name].parent / path).resolve() if path else FILES[name]
        assert goal.exists(), f"{name}: {link} leads nowhere"
        if anchor and goal.suffix == ".md":
            assert anchor in anchors_of(str(goal.relative_to(ROOT))), f"{name}: no heading {link}"


def settings_in(names: list[str]) -> set[str]:
    return {
        one for name in names for one in re.findall(r"\bCDS_[A-Z][A-Z_]*[A-Z]\b", text_of(name))
    }


def test_every_setting_is_documented_and_every_documented_setting_is_read() -> None:
    read = settings_in([name for name in FILES if re.fullmatch(r"cds_service/.*\.py", name)])
    told = settings_in([*MANUALS, "CHANGELOG.md", "Dockerfile", "docker-compose.yml"])
    assert read, "the pattern finds no setting at all"
    assert read - settings_in(MANUALS) == set(), "not documented"
    assert told - read - TEST_VARIABLES == set(), "documented, but nothing reads it"


def commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    known = set(commands(main, "cds-service"))
    manuals = "\n".join(text_of(name) for name in MANUALS)
    assert {one for one in known if one not in manuals} == set(), "not documented"
    told = re.findall(r"`(?:[\w./]*/)?(cds-service(?: [a-z][a-z-]*)+)", manuals)
    known.add("cds-service cohort")  # short for its `run`
    wrong = {one for one in told if not any((one + " ").startswith(k + " ") for k in known)}
    assert wrong == set(), "documented, but there is no such command"


def test_every_make_target_is_documented_and_every_documented_target_exists() -> None:
    makefile = text_of("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, flags=re.M)
    targets = set(phony.split())
    manuals = "\n".join(text_of(name) for name in MANUALS)
    told = set(re.findall(r"\bmake ([a-z-]+)`", manuals))
    told |= set(re.findall(r"^make ([a-z-]+)\b", manuals, flags=re.M))
    assert told == targets - {"help"}
    helped = set(re.findall(r'^\t@echo "make ([\w-]+)', makefile, flags=re.M))
    assert helped == targets - {"help"}


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_reference_is_what_the_program_knows(name: str) -> None:
    assert text_of(name) == pages()[name], "stale: run `make docs`"


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").encode()) <= 6_000
    assert len(text_of("DEVELOPERS.md").encode()) <= 10_000


@each("name", [n for n in MARKDOWN if n.startswith("docs/")])
def test_every_page_says_for_whom_it_is(name: str) -> None:
    assert re.match(r"# .+\n\n(?:<!--.*?-->\n\n)?For [^.:]+[.:]", text_of(name), flags=re.S)


def test_the_site_leads_to_every_page() -> None:
    listed = set(re.findall(r"^(?:.+ <)?/(.+\.md)>?$", text_of("docs/index.md"), flags=re.M))
    listed |= {n for n in MARKDOWN if "/decisions/0" in n}
    assert set(MARKDOWN) - listed == set(NOT_ON_THE_SITE)


def test_the_cards_in_the_tutorial_are_what_the_demo_answers() -> None:
    """Word for word, but for the places that say that something is left out."""
    tutorial = text_of("docs/tutorial.md")
    examples = re.findall(
        r"/samples/([\w-]+)/request\.json.*?^((?:>[^\n]*\n)+)", tutorial, re.M | re.S
    )
    assert len(examples) == 2
    for story, quoted in examples:
        told = text_of(f"fhir_samples/b12_under_two/{story}/expected.json")
        card = json.loads(told)["cards"][0]
        icon = {"info": "ℹ", "warning": "⚠", "critical": "⛔"}[card["indicator"]]
        buttons = [
            f"`[ {one['label']} ]`" + " (recommended)" * one.get("isRecommended", False)
            for one in card["suggestions"]
        ]
        whole = " ".join([f"{icon} **{card['summary']}**", *card["detail"], *buttons]).split()
        shown = " ".join(re.sub(r"^> ?", "", quoted, flags=re.M).split())
        pieces = re.split(r" (?:- )?…(?: |$)", shown)
        pattern = "(?: .+)? ".join(re.escape(piece) for piece in pieces)
        assert re.fullmatch(pattern, " ".join(whole)), story


def test_every_address_in_the_documents_exists() -> None:
    told = {
        address
        for name in MARKDOWN
        for address in re.findall(
            r"`((?:cds_service|tests|bench)/[\w/]+\.py(?:::\w+)?)`", text_of(name)
        )
    }
    assert told
    for address in sorted(told):
        file, _, name = address.partition("::")
        assert file in FILES, address
        assert not name or re.search(rf"^(def|class) {name}\b", text_of(file), flags=re.M), address


def test_every_dependency_says_why_it_is_there() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    groups = project["dependency-groups"]
    told = project["project"]["dependencies"]
    named = ("build", "dev", "mutants", "docs", "cohort", "spark")
    asked = [*told, *(one for name in named for one in groups[name])]
    names = {re.split(r"[\[<>=~ ]", one)[0] for one in asked if isinstance(one, str)}
    section = text_of("DEVELOPERS.md").partition("\n## Dependencies")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| ([\w.-]+) \|", section, flags=re.M)) - {"package"} == names


# Written in pieces, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a package registry's host": "|".join(
        name.replace("_", r"\.")
        for name in (
            "pypi_" + "org",
            "pythonhosted_" + "org",
            "npmjs_" + "(org|com)",
            "crates_" + "io",
            "repo1?_" + "maven",
            "deb_" + "debian_org",
        )
    ),
    "a path of one machine": "|".join(
        (r"(?<![\w.])/wo" + "rk/", r"(?<![\w.])/ro" + "ot/", r"/ho" + r"me/\w", r"/Us" + r"ers/\w")
    ),
    "a number of the project's tracker": r"\bissue" + r"s? #?\d",
}
MAY_NAME_THE_DATA_FOLDER = {".ci/run"}
FORBIDDEN_BUT_IN_CI = r"\.\./sha" + "red"


@pytest.mark.parametrize("what", sorted(FORBIDDEN))
def test_no_file_names(what: str) -> None:
    found = []
    for name, file in FILES.items():
        lines = file.read_bytes().decode("utf-8", errors="replace").splitlines()
        found += [
            f"{name}:{i}" for i, line in enumerate(lines, 1) if re.search(FORBIDDEN[what], line)
        ]
    assert found == []


def test_only_ci_knows_of_a_folder_beside_the_checkout() -> None:
    found = {
        name
        for name, file in FILES.items()
        if re.search(FORBIDDEN_BUT_IN_CI, file.read_bytes().decode("utf-8", errors="replace"))
    }
    assert found <= MAY_NAME_THE_DATA_FOLDER


@pytest.mark.parametrize("name", sorted(n for n in FILES if re.match(r"requirements/.*\.txt$", n)))
def test_every_requirement_is_one_version_with_its_hashes(name: str) -> None:
    lines = [line for line in text_of(name).splitlines() if not line.lstrip().startswith("#")]
    requirements = [line for line in lines if not line.startswith(" ")]
    assert requirements
    for i, line in enumerate(lines):
        if not line.startswith(" "):
            assert re.match(r"[a-z0-9.-]+==\S+( ; .+)? \\$", line), line
            assert lines[i + 1].lstrip().startswith("--hash=sha256:"), line
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
