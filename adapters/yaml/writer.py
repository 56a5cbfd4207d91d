"""Print a document as YAML that reads back as the same document, here and elsewhere."""

from __future__ import annotations

import re
from typing import Final

import yaml

from launchyard.adapters.yaml.tree import plain
from launchyard.domain.documents import Json, copy_json

_SIMPLE: Final = re.compile(r"[A-Za-z0-9_./@%+:-]+(?: [A-Za-z0-9_./@%+:-]+)*")


class _Dumper(yaml.SafeDumper):
    """Quotes every text that another reader, or a person, could take for something else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - PyYAML's signature
        super().increase_indent(flow, False)  # noqa: FBT003


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    simple = _SIMPLE.fullmatch(value) and isinstance(plain(value), str)
    style = None if simple else "|" if _is_block(value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


def _is_block(value: str) -> bool:
    lines = value.split("\n")
    return len(lines) > 1 and all(line.isprintable() and line == line.strip() for line in lines)


_Dumper.add_representer(str, _text)


def write(document: Json) -> str:
    """Return *document* as YAML in block style, keys in their order, ending in a line break."""
    # A copy has no shared parts, so the text has no anchors.
    text: str = yaml.dump(
        copy_json(document),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=10_000,
    )
    return text.removesuffix("...\n")
