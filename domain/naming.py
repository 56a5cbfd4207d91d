"""Names and labels that tie what runs on a target to its attempt.

The name follows from installation, item and attempt alone, so whoever looks for an attempt's
running thing after a crash knows what it must be called.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launchyard.domain.documents import Json

INSTALLATION: Final = "launchyard-installation"
ITEM: Final = "launchyard-item"
ATTEMPT: Final = "launchyard-attempt"
AGENT: Final = "launchyard-agent"
DIGEST: Final = "launchyard-spec"
_LABEL_LENGTH: Final = 63
_HASH_LENGTH: Final = 12
_DIGEST_LENGTH: Final = 32


def target_name(installation: str, item: str, attempt: int) -> str:
    """Return the name of an attempt on every target: `ly-<12 letters and digits>-a<attempt>`."""
    hashed = hashlib.sha256(f"{installation}\0{item}".encode()).digest()
    return f"ly-{base64.b32encode(hashed).decode().lower()[:_HASH_LENGTH]}-a{attempt}"


def digest(document: Json) -> str:
    """Return the SHA-256 of a document's canonical JSON, in hexadecimal digits.

    Raises:
        ValueError: the document holds a number that JSON has no word for.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a thing on a target is."""

    installation: str
    item: str
    attempt: int
    agent: str = ""


def labels(owner: Owner, spec_digest: str) -> dict[str, str]:
    """Return the labels of a thing on a target; keys and values are valid on every one of them."""
    return {
        INSTALLATION: label_value(owner.installation),
        ITEM: label_value(owner.item),
        ATTEMPT: str(owner.attempt),
        AGENT: label_value(owner.agent),
        DIGEST: spec_digest[:_DIGEST_LENGTH],
    }


def may_adopt(found: Mapping[str, str], installation: str, item: str, attempt: int) -> bool:
    """Tell whether a thing with the labels *found* is this very attempt's, whoever started it."""
    wanted = labels(Owner(installation=installation, item=item, attempt=attempt), "")
    return all(found.get(key) == wanted[key] for key in (INSTALLATION, ITEM, ATTEMPT))


def label_value(text: str) -> str:
    """Return *text* as a label's value; what does not fit is replaced and told apart by a hash."""
    clean = re.sub(r"[^a-z0-9_-]", "-", text.lower()).strip("-_")
    if clean == text and len(text) <= _LABEL_LENGTH:
        return text
    mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{clean[: _LABEL_LENGTH - 9].rstrip('-_')}-{mark}".lstrip("-") if text else ""


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a target takes as a name: `bad` matches what it does not, `longest` counts letters."""

    bad: re.Pattern[str]
    longest: int
    lower: bool


KUBERNETES: Final = NameRules(re.compile(r"[^a-z0-9]+"), 63, lower=True)
DOCKER: Final = NameRules(re.compile(r"[^A-Za-z0-9_.]+"), 128, lower=False)
SAGEMAKER: Final = NameRules(re.compile(r"[^A-Za-z0-9]+"), 63, lower=False)


def prefixed(rules: NameRules, wanted: str, name: str) -> str:
    """Return *name* with what people *wanted* as a prefix, cut so that *name* stays whole."""
    text = wanted.lower() if rules.lower else wanted
    room = rules.longest - len(name) - 1
    prefix = rules.bad.sub("-", text).strip("-_.")[: max(room, 0)].rstrip("-_.")
    return f"{prefix}-{name}" if prefix else name
