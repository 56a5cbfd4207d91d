"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from launchyard.adapters.prometheus.fleet import Fleet
from launchyard.ports.metrics import Family, Sample

if TYPE_CHECKING:
    from prometheus_client import Metric

PREFIX: Final = "launchyard_"
_SWITCH: Final = "PROMETHEUS_MULTIPROC_DIR"


class MetricsError(Exception):
    """Numbers cannot be shown as they should; the message says why, and the remedy."""


def refuse_multiprocess_mode(environment: Mapping[str, str]) -> None:
    """Refuse to count where the Prometheus library would silently count in another way."""
    if environment.get(_SWITCH) or environment.get(_SWITCH.lower()):
        raise MetricsError(
            f"{_SWITCH} is set. It makes the Prometheus library share files between processes,"
            " keep the numbers of dead ones and drop some kinds of metrics; Launchyard merges the"
            f" numbers of its processes itself. Unset {_SWITCH} for this program and start again."
        )


class Exposition:
    """Renders the numbers of a fleet in the format that the reader asks for.

    *refresh* runs before each rendering, in the thread that asks; it brings gauges and the
    children's snapshots up to date, and ends soon.
    """

    def __init__(
        self,
        fleet: Fleet,
        environment: Mapping[str, str],
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        refuse_multiprocess_mode(environment)
        self._fleet = fleet
        self._refresh = refresh

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the text and its content type; *accept* is the request's header."""
        # The library costs 10 MB and 90 ms, and an agent that nobody scrapes need not pay.
        from prometheus_client import CollectorRegistry  # noqa: PLC0415
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        self._refresh()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self._fleet))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type


class _Collector:
    """Gives the library the samples as they are."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterable[Metric]:
        from prometheus_client import Metric  # noqa: PLC0415

        found: dict[str, list[Sample]] = {name: [] for name in self._fleet.families()}
        families: dict[str, Family] = dict(self._fleet.families())
        for sample in self._fleet.snapshot():
            families.setdefault(sample.family.name, sample.family)
            found.setdefault(sample.family.name, []).append(sample)
        for name in sorted(found):
            family = families[name]
            metric = Metric(PREFIX + name, family.help, family.kind.value)
            for sample in found[name]:
                metric.add_sample(PREFIX + name + sample.suffix, dict(sample.labels), sample.value)
            yield metric
