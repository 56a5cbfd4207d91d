"""Which dialect a server speaks, and where a W&B server is: both follow from its address.

`wandb+https://host` is a W&B server, any other address one of ours; `wandb` alone is the one that
the W&B client of this machine would use.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "wandb+"
WORD: Final = "wandb"
CLOUD: Final = "https://api.wandb.ai"
"""Where W&B's client goes unless it is told otherwise."""

_PAGES: Final = {"https://wandb.ai": CLOUD, "https://app.wandb.ai": CLOUD}


def is_wandb(server: str) -> bool:
    """Tell whether *server* speaks W&B's dialect."""
    return server == WORD or server.startswith(PREFIX) or _plain(server) in {CLOUD, *_PAGES}


def wandb_url(server: str, base_url: str) -> str:
    """Return the plain address of the W&B server *server*; *base_url* is what W&B's client uses."""
    url = _plain(server.removeprefix(PREFIX))
    if url in {"", WORD}:
        url = _plain(base_url) or CLOUD
    return _PAGES.get(url, url)


def marked(url: str) -> str:
    """Return the plain address of a W&B server in the form that tells its dialect."""
    return f"{PREFIX}{url}"


def _plain(url: str) -> str:
    return url.strip().rstrip("/")
