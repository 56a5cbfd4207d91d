"""Write the reference into `docs/configuration.md`, between its two marks."""

from __future__ import annotations

from pathlib import Path

from launchyard.domain.config.reference import reference
from launchyard.domain.config.schema import KnownTypes

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
BEGIN, END = "<!-- reference: begin -->\n", "<!-- reference: end -->\n"

if __name__ == "__main__":
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCS.write_text(f"{before}{BEGIN}\n{reference(KnownTypes())}\n{END}{after}", encoding="utf-8")
