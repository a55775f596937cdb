"""The commands `check` and `describe`: the guideline's data, checked and written down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cds_service import consultation
from cds_service.fhir.gather import prefetch_template
from cds_service.guidelines.b12_under_two.describe import describe

pytestmark = pytest.mark.sampled_file(5)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guidelines" / "b12-under-two.md"
SERVICE = consultation.load_services()[0]
G = SERVICE.guideline.data
TEXT = describe(G, prefetch_template, SERVICE.language)


def cli(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    return subprocess.run(
        [sys.executable, "-m", "cds_service", *map(str, words)],
        cwd=ROOT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


# --- check --------------------------------------------------------------------------------------


def test_check_says_what_it_checked() -> None:
    done = cli("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"edition {G.file.guideline.edition}" in done.stdout
    assert f"{len(G.file.rules)} rules" in done.stdout
    assert "no local settings" in done.stdout
    assert "CDS_PUBLIC_URL" not in done.stdout


def test_check_shows_the_settings_in_force() -> None:
    done = cli("check", "--settings", CDS_FHIR_DEADLINE_MS="700")
    assert "CDS_FHIR_DEADLINE_MS = 700" in done.stdout
    assert (
        "CDS_ALLOWED_ORIGINS = (default: * (any); none with CDS_FHIR_SERVERS outside the demo)"
        in done.stdout
    )


@pytest.mark.parametrize("by_option", [True, False])
def test_check_names_what_a_site_changed(tmp_path: Path, by_option: bool) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[limits.b12_severe]\nbelow = 120\nsource = "local: laboratory, 2026"\n')
    done = (
        cli("check", "--overrides", site)
        if by_option
        else cli("check", CDS_GUIDELINE_OVERRIDES=str(site))
    )
    assert done.returncode == 0
    assert "limits.b12_severe.below" in done.stdout


def test_check_names_the_known_infants_whom_a_site_answers_differently(tmp_path: Path) -> None:
    assert "invented infants, answered as accepted" in cli("check").stdout
    site = tmp_path / "site.toml"
    site.write_text('[limits.b12_adequate]\nat_least = 320\nsource = "local: laboratory, 2026"\n')
    done = cli("check", "--overrides", site)
    assert done.returncode == 0
    changed = [one for one in done.stdout.splitlines() if "answered differently" in one]
    assert [one.split(":")[0].strip() for one in changed] == ["b12-under-two/exactly-three-hundred"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[limits.b12_sever]\nbelow = 120\nsource = 'local: x'\n", "b12_sever"),
        ("[limits.b12_severe]\nbelow = 120\n", "who decided it"),
        ("[limits.b12_severe]\nbelow = 220\nsource = 'local: x'\n", "b12_deficient"),
        ("[doses.oral_regimen]\namount = 2000\n", "doses.oral_regimen"),
        ("not toml", "is not TOML"),
    ],
)
def test_check_refuses_with_file_name_problem_and_cure(
    tmp_path: Path, content: str, said: str
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(content)
    done = cli("check", "--overrides", site)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {site}: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_check_refuses_a_setting_that_cannot_be() -> None:
    done = cli("check", CDS_FHIR_DEADLINE_MS="soon")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: CDS_FHIR_DEADLINE_MS: ")


def test_what_check_accepts_serve_evaluates_by(tmp_path: Path) -> None:
    from cds_service.app import create_app
    from cds_service.settings import Settings

    site = tmp_path / "site.toml"
    site.write_text('[limits.b12_severe]\nbelow = 150\nsource = "local: laboratory, 2026"\n')
    story = ROOT / "fhir_samples" / "b12_under_two" / "vegan-mother-low-b12-six-months"
    answer = (
        create_app(Settings(guideline_overrides=site, demo=True))
        .test_client()
        .post(
            "/cds-services/b12-under-two-patient-view",
            data=(story / "request.json").read_bytes(),
            content_type="application/json",
        )
    )
    account = answer.get_json()["extension"][consultation.EVALUATION_EXTENSION]
    assert "limits.b12_severe.below" in account["localSettings"]


# --- describe -----------------------------------------------------------------------------------


def test_the_committed_page_says_what_the_data_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == TEXT, "run cds-service describe"


def test_describe_writes_and_then_finds_nothing_to_do(tmp_path: Path) -> None:
    assert "written" in cli("describe", "--to", tmp_path).stdout
    again = cli("describe", "--to", tmp_path, "--check")
    assert again.returncode == 0
    assert (tmp_path / PAGE.name).read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("before", [None, "old"])
def test_describe_check_fails_on_a_stale_page_and_leaves_it(
    tmp_path: Path, before: str | None
) -> None:
    page = tmp_path / PAGE.name
    if before is not None:
        page.write_text(before)
    done = cli("describe", "--to", tmp_path, "--check")
    assert done.returncode == 1
    assert "stale" in done.stderr
    assert (page.read_text() if page.exists() else None) == before


def test_the_page_holds_every_name_of_the_data() -> None:
    file = G.file
    for group in (file.limits, file.doses, file.products, file.tests, file.texts, G.codes):
        for name in group.__struct_fields__:
            assert f"`{name}`" in TEXT, name
    for name in (*file.rules, *file.sources, *file.statements):
        assert f'<a id="{name.lower()}"></a>' in TEXT, name
    for name, card in file.cards.items():
        assert f'### <a id="{name}"></a>Card {name}\n' in TEXT
        assert card.summary in TEXT
    for need in G.needs:
        assert f"{need.key}: {prefetch_template(need)}" in TEXT
    assert file.guideline.review_status in TEXT


def test_every_link_of_the_page_has_its_anchor_and_every_anchor_is_one() -> None:
    anchors = re.findall(r'<a id="([^"]+)"></a>', TEXT)
    assert len(anchors) == len(set(anchors))
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= {*anchors, *headings}


def test_a_choice_of_this_project_is_never_called_published() -> None:
    rows = dict(re.findall(r"^\| <a id=\"[^\"]+\"></a>`?([\w-]+)`? \|.* \| (.+) \|$", TEXT, re.M))
    limits = {n: getattr(G.file.limits, n).source for n in G.file.limits.__struct_fields__}
    sources = limits | {name: rule.source for name, rule in G.file.rules.items()}
    for name, source in sources.items():
        cites = any(part in G.file.sources for part in re.split(r",\s*", source))
        assert rows[name].startswith("*policy*") == source.startswith("policy:"), name
        assert ("*published*" in rows[name]) == cites, name
