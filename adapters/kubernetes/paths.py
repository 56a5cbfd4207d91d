"""Where objects stand in a cluster's API, and what names them in a handle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, by the names that the API's paths use."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of the objects of a namespace, or of one of them."""
        api = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"{api}/namespaces/{namespace}/{self.plural}"
        return f"{place}/{name}" if name else place

    @property
    def text(self) -> str:
        """The kind in one word: `jobs.v1.batch`."""
        return f"{self.plural}.{self.version}.{self.group}".rstrip(".")


JOBS: Final = Kind("batch", "v1", "jobs")
SECRETS: Final = Kind("", "v1", "secrets")
CONFIG_MAPS: Final = Kind("", "v1", "configmaps")
POD_KIND: Final = Kind("", "v1", "pods")
EVENT_KIND: Final = Kind("", "v1", "events")


def kind_of(text: str) -> Kind:
    """Return the kind that `Kind.text` gave."""
    plural, version, group = (*text.split(".", 2), "")[:3]
    return Kind(group, version, plural)


@dataclass(frozen=True, slots=True)
class Address:
    """Which cluster: a context of a kubeconfig; with neither, what the machine offers.

    That is the file that `kubectl` would read, else the cluster that this process runs in.
    """

    kubeconfig: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where objects of one kind are: cluster, namespace, kind. An empty address is the agent's."""

    namespace: str
    kind: Kind
    address: Address = Address()

    @property
    def text(self) -> str:
        """The place in one word: `default/jobs.v1.batch`, and the address if it is another."""
        words = [self.namespace, self.kind.text]
        if self.address != Address():
            words += [quote(self.address.kubeconfig, safe=""), quote(self.address.context, safe="")]
        return "/".join(words)


@dataclass(frozen=True, slots=True)
class Spot:
    """One object: its place, and the cluster's own id; a handle's `uid` holds it."""

    place: Place
    uid: str

    @property
    def text(self) -> str:
        """The spot in one word: `<uid>/default/jobs.v1.batch`."""
        return f"{self.uid}/{self.place.text}"


def place_of(text: str) -> Place:
    """Return the place that `Place.text` gave.

    Raises:
        ValueError: it is none.
    """
    namespace, kind, *address = text.split("/")
    return Place(namespace, kind_of(kind), Address(*(unquote(word) for word in address)))


def spot_of(text: str) -> Spot:
    """Return the spot that `Spot.text` gave.

    Raises:
        ValueError: it is none.
    """
    uid, _, place = text.partition("/")
    return Spot(place_of(place), uid)
