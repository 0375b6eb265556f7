"""YAML and JSON as text: scalars, positions, and what is refused before anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.config import json_text, yaml_text
from pacsfw.config.document import Mark
from pacsfw.errors import ConfigError

SCALARS = [
    ("20:00", "20:00"),
    ("08:00", "08:00"),
    ("1:20:30", "1:20:30"),
    ("00012", "00012"),
    ("00089", "00089"),
    ("007.5", "007.5"),
    ("0018e100", "0018e100"),
    ("1_000", "1_000"),
    ("NO", "NO"),
    ("off", "off"),
    ("y", "y"),
    ("2024-01-02", "2024-01-02"),
    ("1.2.840.1", "1.2.840.1"),
    ("=", "="),
    ("true", True),
    ("False", False),
    ("20", 20),
    ("-3", -3),
    ("0", 0),
    ("0x1F", 31),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("~", None),
    ("null", None),
    ("", None),
    ('"20"', "20"),
    ("!!str 20", "20"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    found = yaml_text.read(f"key: {text}\n", "c.yaml").tree["key"]
    assert (found, type(found)) == (value, type(value))


def test_every_value_and_key_knows_its_position() -> None:
    document = yaml_text.read("a:\n  - b: 1\n    cc:   2\n", "c.yaml")
    assert document.values[("a", 0, "cc")] == Mark(3, 11)
    assert document.keys[("a", 0, "cc")] == Mark(3, 5)


def test_json_positions_are_those_of_the_file() -> None:
    document = json_text.read('{\n "a": [\n  {"b": 1,\n   "cc":   2}]}', "c.json")
    assert document.values[("a", 0, "cc")] == Mark(4, 12)
    assert document.keys[("a", 0, "cc")] == Mark(4, 4)


REFUSED_YAML = [
    ("a: 1\nb: 2\na: 3\n", "c:3:1: a: duplicate key (first on line 1)"),
    ("a:\n  b: 1\n  b: 1\n", "c:3:3: a.b: duplicate key (first on line 2)"),
    ("a: {b: 1, b: 1}\n", "c:1:11: a.b: duplicate key (first on line 1)"),
    ("1: x\n", "c:1:1: a key must be text; put it in quotes"),
    ("a:\n  true: x\n", "c:2:3: a: a key must be text; put it in quotes"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", "c:3:3: c: merge keys (<<) are not supported"),
    (
        "a: !!python/object:os.system x\n",
        "c:1:4: a: the tag 'tag:yaml.org,2002:python/object:os.system' is not allowed here",
    ),
    ("a: !mine {}\n", "c:1:4: a: the tag '!mine' is not supported"),
    ("a: !!int x\n", "c:1:4: a: the tag 'tag:yaml.org,2002:int' is not allowed here"),
    ("a: !!bool x\n", "c:1:4: a: the tag 'tag:yaml.org,2002:bool' is not allowed here"),
    ("a: .inf\n", "c:1:4: a: not a finite number; put it in quotes if it is text"),
    ("a: .nan\n", "c:1:4: a: not a finite number; put it in quotes if it is text"),
    ("a: 1e999\n", "c:1:4: a: not a finite number; put it in quotes if it is text"),
    (f"a: {'9' * 5000}\n", "c:1:4: a: not a valid number; put it in quotes"),
    ("a: *b\n", "c:1:4: not valid YAML: found undefined alias 'b'"),
    ("a: \x07\n", "c:1:4: not valid YAML: the character U+0007"),
    ("", "c:1:1: the configuration is empty"),
    ("# nothing\n", "c:1:1: the configuration is empty"),
    ("[" * 3000, "c:1:1: nested too deeply"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED_YAML)
def test_yaml_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        yaml_text.read(text, "c")
    assert str(caught.value) == message


def test_a_tab_for_indentation_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"c:2:1: not valid YAML: .*indent with spaces"):
        yaml_text.read("a:\n\tb: 1\n", "c")


def test_a_second_document_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"c:2:1: not valid YAML: expected a single document"):
        yaml_text.read("a: 1\n---\nb: 1\n", "c")


def test_an_alias_gives_the_same_value_again() -> None:
    document = yaml_text.read("a: &x {b: 1}\nc: *x\n", "c")
    assert document.tree == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.tree["a"] is not document.tree["c"]


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match="does an alias contain itself"):
        yaml_text.read("\n".join(lines), "c")


def test_an_alias_of_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"c:1:4: a: .*does an alias contain itself"):
        yaml_text.read("a: &x [*x]\n", "c")


REFUSED_JSON = [
    ('{"a": 1, "a": 2}', "c:1:10: a: duplicate key (first on line 1)"),
    ('{"a": 1,}', "c:1:9: not valid JSON: expected a key in double quotes"),
    ("{'a': 1}", "c:1:2: not valid JSON: expected a key in double quotes"),
    ('{"a" 1}', "c:1:6: a: not valid JSON: expected ':'"),
    ('{"a": [1 2]}', "c:1:10: a: not valid JSON: expected ',' or ']'"),
    ('{"a": [1,]}', "c:1:10: a[1]: not valid JSON: expecting value"),
    ('{"a": 1', "c:1:8: not valid JSON: expected ',' or '}'"),
    ('{"a":', "c:1:6: a: not valid JSON: expecting value"),
    ('{"a": "x\n"}', "c:1:9: a: not valid JSON: invalid control character at"),
    ('{"a": NaN}', "c:1:7: a: not valid JSON: NaN is not a number"),
    ('{"a": 1e999}', "c:1:7: a: not a finite number; put it in quotes if it is text"),
    ('{"a": 012}', "c:1:8: not valid JSON: expected ',' or '}'"),
    ('{"a": 1}\n{}', "c:2:1: not valid JSON: unexpected text after the end"),
    (" \n", "c:1:1: the configuration is empty"),
    ('{"a":' + "[" * 100_000, "c:1:56: a: nested too deeply"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED_JSON)
def test_json_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        json_text.read(text, "c")
    assert str(caught.value) == message


# PyYAML reads U+0085 and the Unicode line ends as line ends, whatever quotes are around.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])).filter(
    lambda text: text != "<<"
)
trees = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**64), 2**64)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts
        | st.sampled_from([text for text, _ in SCALARS]),
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
        max_leaves=10,
    ),
)


@given(trees, st.sampled_from([None, 1, "\t"]))
def test_json_reads_what_json_writes(tree: dict[str, Any], indent: int | str | None) -> None:
    assert json_text.read(json.dumps(tree, indent=indent), "c").tree == tree


@given(trees)
def test_yaml_reads_what_it_writes(tree: dict[str, Any]) -> None:
    found = yaml_text.read(yaml_text.dump(tree), "c").tree
    assert found == tree
    assert repr(found) == repr(tree)


@given(st.text())
def test_no_text_escapes_as_anything_but_a_configuration_error(text: str) -> None:
    for reader in (yaml_text, json_text):
        try:
            reader.read(text, "c")
        except ConfigError:
            continue
