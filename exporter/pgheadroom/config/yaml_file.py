"""Reads a YAML file more strictly than YAML does, and says where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file holds, and on which line."""

    path: Path
    values: dict[str, Any]
    root: yaml.Node | None = None

    def place(self, location: Sequence[str | int]) -> str:
        """Return ``FILE:LINE: `` of what is at *location*, or of the nearest thing around it."""
        found, node = None, self.root
        for part in location:
            below = _below(node, part)
            if below is None:
                break
            found, node = below
        line = "" if found is None else f":{found.start_mark.line + 1}"
        return f"{self.path}{line}: "


def read_mapping(path: Path, what: str) -> tuple[Document, list[str]]:
    """Return what the file at *path*, a mapping of *what*, holds; and what is wrong with it."""
    try:
        root, read = _loaded(path.read_text(encoding="utf-8"))
        if read is None:
            return Document(path, {}), []
        if isinstance(read, dict) and all(isinstance(key, str) for key in read):
            return Document(path, read, root), []
        problem = f"{path} must be a mapping of {what}"
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
    except UnicodeDecodeError:
        problem = f"{path} is not UTF-8"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = f"{where}: {error.problem or 'not YAML'}"
    except yaml.YAMLError as error:
        problem = f"{path}: not YAML: {error}"
    except RecursionError:
        problem = f"{path} is nested too deeply"
    return Document(path, {}), [problem]


def _loaded(text: str) -> tuple[yaml.Node | None, object]:
    """Return the nodes of *text*, and what they mean."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _below(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return what names *part* of *node*, a key or the item itself, and what it holds."""
    if isinstance(node, yaml.MappingNode):
        pairs = ((key, value) for key, value in node.value if key.value == str(part))
        return next(pairs, None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, but all that it cannot take is a YAMLError, which says where.

    A key that stands twice is an error too, not the last one's luck. What `<<` merges in is no
    such key: a mapping's own keys win over it, as YAML says.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._flat: set[yaml.Node] = set()

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - the signature of what it overrides
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError):
            # PyYAML lets through whatever int(), datetime() and its own tables raise.
            problem = "a value that cannot be read as what it looks like, or as its tag says"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None
        if isinstance(value, str) and "\0" in value:
            problem = "a NUL character, which no name, path or address can contain"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        if isinstance(value, bytes):
            problem = "binary data, which no setting takes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return value

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature of what it overrides
        if not isinstance(node, yaml.MappingNode):  # with a tag that says so, such as !!set
            problem = "expected a mapping node, because of its tag"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put in the place of `<<` what it names; once, for that forgets what was merged."""
        if node in self._flat:
            return
        self._flat.add(node)
        self._refuse_twice(node)
        super().flatten_mapping(node)
        # Only the last of each key counts. Without this, merges of merges grow without bound.
        last = {self._mark(key): (key, value) for key, value in node.value}
        node.value = list(last.values())

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        keys: set[object] = set()
        for key_node, _ in node.value:
            mark = self._mark(key_node)
            if mark in keys:
                key = key_node.value
                label = "<<" if key_node.tag == _MERGE else "…" if "@" in key else key
                problem = f"the key {label!r} appears twice"
                if key_node.tag == _MERGE:
                    problem += "; to merge several mappings, give a list: <<: [*a, *b]"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            keys.add(mark)

    def _mark(self, node: yaml.Node) -> object:
        """Return what is the same for two keys that are one."""
        if not isinstance(node, yaml.ScalarNode):
            return node  # which is refused; aliases can make it huge
        if node.tag == _MERGE:
            return node.tag
        key = self.construct_object(node, deep=True)
        return key if isinstance(key, str) else (type(key), repr(key))
