"""CloudFormation in YAML, with its short forms, and ``!Stage NAME`` for what the stage says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TEMPLATES = Path(__file__).with_name("templates")
SHORT = (
    *("Sub", "GetAZs", "Select", "Join", "If", "Equals", "Not", "And", "Or", "Base64", "Cidr"),
    *("FindInMap", "ImportValue", "Split"),
)


class _Loader(yaml.SafeLoader):
    """``values`` are what ``!Stage`` stands for."""

    values: Mapping[str, Any] = {}


def _ref(loader: _Loader, node: yaml.ScalarNode) -> dict[str, str]:
    return {"Ref": str(loader.construct_scalar(node))}


def _attribute(loader: _Loader, node: yaml.ScalarNode) -> dict[str, list[str]]:
    return {"Fn::GetAtt": str(loader.construct_scalar(node)).split(".", 1)}


def _stage(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.values[str(loader.construct_scalar(node))]


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if suffix not in SHORT:
        raise yaml.constructor.ConstructorError(
            None, None, f"!{suffix} is unknown", node.start_mark
        )
    if isinstance(node, yaml.ScalarNode):
        return {f"Fn::{suffix}": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {f"Fn::{suffix}": loader.construct_sequence(node, deep=True)}
    raise yaml.constructor.ConstructorError(None, None, "not here", node.start_mark)


_Loader.add_constructor("!Ref", _ref)
_Loader.add_constructor("!GetAtt", _attribute)
_Loader.add_constructor("!Stage", _stage)
_Loader.add_multi_constructor("!", _function)


def load(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The resources in ``infra/templates/NAME.yaml``. Raises KeyError for a ``!Stage`` that nobody gives."""
    loader = _Loader((TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8"))
    loader.values = values
    try:
        resources: dict[str, Any] = loader.get_single_data()
    finally:
        loader.dispose()
    return resources
