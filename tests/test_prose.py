"""Everything a person reads is written in ordinary English: documents, catalogues, pages, and in
code the docstrings, comments and texts. ``prose.toml`` has the rules; `make check` runs this."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from each import each
from project_files import FILES, text_of

DATA = tomllib.loads(text_of("tests/prose.toml"))
THESE = (
    "tests/prose.toml",  # these two quote what they forbid
    "tests/test_prose.py",
    "docs/guidelines/b12-under-two.md",  # written from data that is read, with names and citations
)
#: What is in another language has its own reviewer.
TRANSLATED = re.compile(r"/texts/(?!en\.)[\w-]+\.toml$").search
WRITTEN_IN = (".md", ".toml", ".py", ".js", ".html", ".css", ".yaml", ".yml", "file", ".ci/run")
READ = [
    name
    for name in FILES
    if name.endswith(WRITTEN_IN)
    and name not in THESE
    and not TRANSLATED(name)
    and not name.startswith(tuple(DATA["to_be_passed"]))
]


class Passage(NamedTuple):
    line: int
    text: str


def passages(name: str, text: str) -> Iterator[Passage]:
    """What a person reads in a file, without code in backticks. Markdown quotes nothing but cards,
    whose words are held to the rules in their catalogue."""
    if name.endswith(".py"):
        found = _of_python(text)
    elif name.endswith(".md"):
        found = iter([Passage(1, _not_prose_in_markdown.sub(_emptied, text))])
    elif name.endswith((".css", ".js")):
        found = (
            Passage(_line(text, one), one[0].strip("`"))
            for one in _written_in_script.finditer(text)
        )
    elif name.endswith(".toml"):
        found = iter([Passage(1, _keys_in_toml.sub(_emptied, text))])
    else:
        found = iter([Passage(1, text)])
    for one in found:
        if " " in one.text.strip():  # a single word is a name or a code
            code = r"``[^`]*``|`[^`]*`" if name.endswith(".md") else r"``[^`]*``|`[^`]*`|\{[^{}]*\}"
            words = re.sub(r"^[ \t]*(?:(?:#|//|\*) ?)?", "", one.text, flags=re.M)
            yield Passage(one.line, re.sub(code, _emptied, words))


#: Keys, tables, lists of names, and what others called their work.
_keys_in_toml = re.compile(
    r'^ *\[.*|^ *(?:citation|url) *=.*|^ *"[^\n]*",?$|^ *[\w."-]+ *=(?: \[.*\]$)?|[\w-]+ *=(?= )',
    re.M,
)
_not_prose_in_markdown = re.compile(
    r"^(```|~~~).*?^\1|^>[^\n]*|(?:\[[\w-]+)?\]\([^)\s]*\)", re.M | re.S
)
_written_in_script = re.compile(
    r"/\*.*?\*/|^[ \t]*//[^\n]*(?:\n[ \t]*//[^\n]*)*|//[^\n]*|\"[^\"\n]*\"|`[^`]*`", re.M | re.S
)


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def _emptied(code: re.Match[str]) -> str:
    """Something that is no word, over as many lines."""
    return "§" + "\n" * code[0].count("\n")


def _of_python(text: str) -> Iterator[Passage]:
    """Strings, and comments; comments on lines that follow each other are one passage."""
    tree = ast.parse(text)
    parts = {
        id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values
    }
    for one in ast.walk(tree):
        if isinstance(one, ast.JoinedStr):
            words = [
                str(part.value) if isinstance(part, ast.Constant) else "§" for part in one.values
            ]
            yield Passage(one.lineno, "".join(words))
        elif isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in parts:
            yield Passage(one.lineno, one.value)
    begun, last, said = 0, 0, ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if line != last + 1:
                yield Passage(begun, said)
                begun, said = line, ""
            last, said = line, f"{said}{token.string}\n"
    yield Passage(begun, said)


class Rule(NamedTuple):
    pattern: re.Pattern[str]
    but: str
    finds: str
    leaves: str


def _rule(given: dict[str, str]) -> Rule:
    pattern = re.compile(given["not"].replace(" ", r"\s+"), re.I)
    return Rule(pattern, given["but"], given["finds"], given["leaves"])


RULES = [_rule(one) for one in DATA["rules"]]


def found_in(name: str, text: str) -> list[str]:
    return [
        f"{name}:{passage.line + _line(passage.text, one) - 1}: not {' '.join(one[0].split())!r},"
        f" but {rule.but}"
        for passage in passages(name, text)
        for rule in RULES
        for one in rule.pattern.finditer(passage.text)
    ]


@each("name", READ)
def test_what_people_read_is_ordinary_english(name: str) -> None:
    found = found_in(name, text_of(name))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=[one.finds for one in RULES])
def test_a_rule_finds_what_it_is_for_and_nothing_else(rule: Rule) -> None:
    assert rule.pattern.search(rule.finds)
    assert not any(one.pattern.search(rule.leaves) for one in RULES)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.md", "# Title\n\nA list is\nno answer.", 3),
        ("a.py", "x = 1\n# A list is\n# no answer.\n", 2),
        ("a.py", 'x = f("a list"\n      " is no answer")\n', 1),
        ("a.py", '"""A list\n\nis no answer."""\n', 3),
        ("a.js", "let x;\n// A list is\n// no answer.\n", 2),
        ("a.js", 'say("a list is no answer");', 1),
        ("a.js", "say(`a list is no answer`);", 1),
        ("a.css", "p { color: red; }\n/* A list is no answer. */", 2),
        ("a.toml", '# Texts.\na = "A list is no answer."', 2),
    ],
)
def test_every_kind_of_file_is_read(name: str, text: str, line: int) -> None:
    assert [one.split(": ")[0] for one in found_in(name, text)] == [f"{name}:{line}"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "```\na list is no answer\n```\n\n> The card is no answer.\n\nSee `is no x`."),
        ("a.py", "stands = told and beside  # See ``stands``.\n"),
        ("a.py", 'x = a["stands"], f"one {told} two"\n'),
        ("a.js", 'told.stands = beside["stands"];'),
        ("a.css", "p { color: red; }"),
    ],
)
def test_code_is_not_read(name: str, text: str) -> None:
    assert found_in(name, text) == []


def test_every_file_still_to_be_passed_needs_it() -> None:
    for start in DATA["to_be_passed"]:
        files = [name for name in FILES if name.startswith(start) and name.endswith(WRITTEN_IN)]
        assert any(found_in(name, text_of(name)) for name in files), (
            f"{start}: take it off the list"
        )
