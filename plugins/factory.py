"""Making adapters from their descriptors."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, TypeVar

from launchyard.plugins.specs import Place, Provider

A = TypeVar("A")


class FactoryError(Exception):
    """An adapter could not be made; the message says why, and the remedy."""


def absent(provider: Provider[Any]) -> tuple[str, ...]:
    """Return the modules that *provider* needs and that are not installed, importing none."""
    return tuple(name for name in provider.modules if not _is_there(name))


def make(provider: Provider[A], place: Place) -> A:
    """Make the adapter of *provider* for *place*.

    Raises:
        FactoryError: a package is missing, or the adapter refused its settings.
    """
    missing = absent(provider)
    if missing:
        names = ", ".join(missing)
        raise FactoryError(f"`{provider.name}` needs {names}: {_remedy(provider)}")
    try:
        return provider.make(place)
    except Exception as e:
        raise FactoryError(f"`{provider.name}` cannot be used: {type(e).__name__}: {e}") from e


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _remedy(provider: Provider[Any]) -> str:
    if not provider.extra:
        return "install what its plugin asks for"
    return f"run: pip install 'launchyard[{provider.extra}]'"
