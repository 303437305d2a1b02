"""A YAML loader for settings: the safe one, with caps, no key twice, and no number that reads as another."""

from __future__ import annotations

import re
from typing import Any

import yaml

from backbone.settings.documents import MAX_ALIASES, MAX_DEPTH, MAX_NODES

__all__ = ["CappedLoader"]


class CappedLoader(yaml.SafeLoader):
    """Refuses documents whose nesting or aliases exceed the caps (the "billion laughs"), and keys given twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._aliases = self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node, counting depth and aliases."""
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > MAX_ALIASES:
                raise yaml.YAMLError(f"over {MAX_ALIASES} aliases; write the values out")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise yaml.YAMLError(f"over {MAX_NODES} keys and values; settings have some hundred")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested over {MAX_DEPTH} levels deep; settings have three")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping whose keys are all different."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys (<<) are not supported", node.start_mark
                )
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                problem = f"the key {key!r} is no text; put it in quotes"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if key in seen:
                problem = f"the key {key!r} is given twice; keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Construct a number; YAML 1.1 would read 1:30 as 90 and 010 as 8."""
        if ":" in node.value or re.fullmatch(r"[-+]?0[0-7_]+", node.value):
            problem = f"{node.value[:40]} would be read as another number; write it in decimal digits, or in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        whole = node.tag == "tag:yaml.org,2002:int"
        return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)


for _kind in ("int", "float"):
    CappedLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", CappedLoader.construct_number)
