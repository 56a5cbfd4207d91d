"""The engine's calls that we need, through docker's SDK; only run hosts import this module."""

from __future__ import annotations

import io
import logging
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import docker  # type: ignore[import-untyped]
from docker import errors
from urllib3.exceptions import HTTPError

from launchyard.adapters.docker.engine import Address
from launchyard.adapters.docker.older import as_known
from launchyard.domain.documents import Json
from launchyard.domain.reason import Reason
from launchyard.ports import events
from launchyard.ports.runner import RunnerError

_log = logging.getLogger(__name__)
LIMIT_S: Final = 12
"""How long one call may take; the port promises 15 s."""

UNAUTHORIZED: Final = 401
GONE: Final = 404
CONFLICT: Final = 409
BROKEN: Final = 500
_WORDS: Final = 600
_LOGIN: Final = "unauthorized, for docker's program for credentials fails"
_PIECE_B: Final = 256 * 1024


class EngineError(RunnerError):
    """What the engine says is wrong; `status` is HTTP's, 0 when it did not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        refused = 0 < status < BROKEN
        reason = Reason.SUBMIT_FAILED if refused else Reason.TARGET_UNREACHABLE
        super().__init__(message[:_WORDS], reason=reason, retry=not refused)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an engine says of an image; `tags` are its names, and no `user` is root.

    `workdir` is where its commands begin, from the root where it says nothing.
    """

    uid: str
    user: str
    workdir: str
    size_b: int
    tags: tuple[str, ...]


class Stream:
    """What an engine tells piece by piece; *sdk* is the SDK's own stream.

    Its end is the end: one that is cut off raises `EngineError`, beginning with *what*.
    """

    def __init__(self, sdk: Any, what: str) -> None:
        self._sdk, self._what = sdk, what

    def __iter__(self) -> Iterator[Any]:
        # The SDK's own wrapper takes a connection that breaks for the end of what is told.
        with engine_errors(self._what):
            yield from self._sdk._stream  # noqa: SLF001

    def close(self) -> None:
        """Have it end now; from any thread."""
        # The SDK looks for the socket in what has been read to its end as well.
        with suppress(OSError, AttributeError):
            self._sdk.close()

    def release(self) -> None:
        """Give its connection back, in the thread that reads it: `close` only cuts it off."""
        self.close()
        self._sdk._response.close()  # noqa: SLF001 - the SDK leaves it to the garbage collector


def _for_all(name: str) -> bytes:
    """Return a tar with one folder, where everyone may write."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        folder = tarfile.TarInfo(name)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    return packed.getvalue()


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours, beginning with *what* could not be done."""
    try:
        yield
    except errors.APIError as e:
        said = str(e.explanation or e)
        raise EngineError(f"{what}: {said}", e.status_code or 0) from None
    except errors.DockerException as e:
        if "redentials store" not in str(e):
            raise EngineError(f"{what}: the Docker engine does not answer ({e})") from None
        raise EngineError(f"{what}: {_LOGIN}: {e.__cause__ or e}", UNAUTHORIZED) from None
    except (OSError, HTTPError) as e:
        # The SDK reads streams without `requests`, which else hides what `urllib3` raises.
        raise EngineError(f"{what}: the Docker engine does not answer ({e})") from None


class Engine:
    """One engine; its methods may be called from any thread and raise `EngineError` alone."""

    def __init__(self, address: Address) -> None:
        folder = address.certificates
        tls = folder and docker.tls.TLSConfig(
            client_cert=(f"{folder}/cert.pem", f"{folder}/key.pem"),
            ca_cert=f"{folder}/ca.pem",
            verify=True,
        )
        with engine_errors("the Docker engine cannot be used"):
            self._api = docker.APIClient(
                base_url=address.url, version="auto", timeout=LIMIT_S, tls=tls or False
            )

    def identity(self) -> str:
        """Return the engine's id."""
        with engine_errors("the engine cannot be asked"):
            return str(self._api.info()["ID"])

    def plugins(self, kind: str) -> Sequence[str]:
        """Return the names of the drivers of a *kind*, in the engine's word, that are ready."""
        with engine_errors("the engine cannot be asked"):
            return list((self._api.info().get("Plugins") or {}).get(kind) or ())

    def inspect(self, name: str) -> Mapping[str, Any] | None:
        """Return all about the container with this name or id, None when there is none."""
        with engine_errors(f"{name} cannot be looked at"):
            try:
                found: dict[str, Any] = self._api.inspect_container(name)
            except errors.NotFound:
                return None
            return found

    def create(self, name: str, request: Mapping[str, Json], platform: str) -> str:
        """Create a container and return its id; what the engine has against it is logged."""
        with engine_errors(f"{name} cannot be created"):
            known = as_known(request, self._api.api_version)
            made = self._api.create_container_from_config(known, name, platform=platform or None)
            if told := "; ".join(made.get("Warnings") or ()):
                events.CONTAINER_WARNED.log(_log, name=name, told=told)
            return str(made["Id"])

    def start(self, uid: str) -> None:
        """Start a container; one that runs is left alone."""
        with engine_errors("the container cannot be started"):
            self._api.start(uid)

    def kill(self, uid: str, signal: str) -> None:
        """Send *signal* to a container; one that is over or gone is left alone."""
        with engine_errors(f"the container cannot be sent {signal}"):
            try:
                self._api.kill(uid, signal)
            except errors.APIError as e:
                if e.status_code not in {GONE, CONFLICT}:
                    raise

    def remove(self, uid: str) -> None:
        """Remove a container that does not run, with its unnamed volumes; gone is well."""
        with engine_errors("the container cannot be removed"):
            try:
                self._api.remove_container(uid, v=True)
            except errors.NotFound:
                return
            except errors.APIError as e:
                if e.status_code != CONFLICT or "already in progress" not in str(e):
                    raise

    def containers(self, *labels: str) -> Sequence[Mapping[str, Any]]:
        """Return every container with all of *labels*, briefly."""
        with engine_errors("the containers cannot be listed"):
            found: list[dict[str, Any]] = self._api.containers(
                all=True, filters={"label": list(labels)}
            )
            return found

    def logs(self, uid: str, since_us: int) -> Stream:
        """Return the entries of a container's log from a time on, with times, to its present end.

        Nothing at all when the container is gone.
        """
        # As a float a time is exact to the microsecond, and the engine reads it as a text.
        since = {"since": since_us / 1e6} if since_us else {}
        with engine_errors("the log cannot be read"):
            return Stream(
                self._api.logs(
                    uid,
                    stdout=True,
                    stderr=True,
                    timestamps=True,
                    stream=True,
                    follow=False,
                    **since,
                ),
                "the log cannot be read on",
            )

    def files_below(self, uid: str, path: str) -> Iterator[bytes]:
        """Yield a tar of the folder *path* of a container; nothing where there is none."""
        with engine_errors("its files cannot be read"):
            try:
                pieces, _ = self._api.get_archive(uid, path, chunk_size=_PIECE_B)
            except errors.NotFound:
                return
            yield from pieces

    def open_folder(self, uid: str, path: str) -> None:
        """Let every user of a container write to the folder *path*."""
        with engine_errors(f"{path} cannot be made writable"):
            # What a tar says of the very place where it is unpacked does not count.
            above, _, name = path.rpartition("/")
            self._api.put_archive(uid, above, _for_all(name))

    def events(self, label: str) -> Stream:
        """Return the stream of what happens to containers with *label*, as it happens."""
        filters = {"type": "container", "label": label, "event": ["start", "die", "destroy"]}
        with engine_errors("the engine's events cannot be heard"):
            heard = self._api.events(filters=filters, decode=True)
            return Stream(heard, "the engine's events broke off")

    def image(self, name: str) -> Image | None:
        """Return what is known of the image with this name or id, None when there is none."""
        with engine_errors(f"{name} cannot be looked up"):
            try:
                found: dict[str, Any] = self._api.inspect_image(name)
            except errors.ImageNotFound:
                return None
        config = found.get("Config") or {}
        return Image(
            uid=str(found.get("Id") or ""),
            user=str(config.get("User") or ""),
            workdir=str(config.get("WorkingDir") or ""),
            size_b=int(found.get("Size") or 0),
            tags=tuple(found.get("RepoTags") or ()),
        )

    def pull(self, image: str, platform: str) -> Iterator[Mapping[str, Any]]:
        """Fetch *image*, yielding how it goes; registries are told what docker's own config says.

        A failure may come as a line with `errorDetail`, on old engines with `error`.
        """
        with engine_errors(f"{image} cannot be pulled"):
            self._api.reload_config()  # a login counts at once
            yield from self._api.pull(image, stream=True, decode=True, platform=platform or None)

    def has_container_of(self, image: str) -> bool:
        """Tell whether there is a container of *image*, under whatever name of it."""
        with engine_errors("the containers cannot be listed"):
            return bool(self._api.containers(all=True, filters={"ancestor": [image]}))

    def remove_image(self, image: str) -> None:
        """Remove an image; gone is well.

        Raises:
            EngineError: CONFLICT while a container uses it.
        """
        with engine_errors(f"{image} cannot be removed"):
            try:
                self._api.remove_image(image)
            except errors.NotFound:
                return

    def make_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make an empty volume; one of this name stays as it is."""
        with engine_errors("a note cannot be left on the engine"):
            self._api.create_volume(name, driver="local", labels=dict(labels))

    def volume_labels(self, name: str) -> Mapping[str, str] | None:
        """Return the labels of a volume, None when there is none."""
        with engine_errors("a note cannot be read from the engine"):
            try:
                found: dict[str, Any] = self._api.inspect_volume(name)
            except errors.NotFound:
                return None
            return {key: str(value) for key, value in (found.get("Labels") or {}).items()}

    def remove_volume(self, name: str) -> None:
        """Remove a volume; gone is well."""
        with engine_errors("a note cannot be taken from the engine"):
            try:
                self._api.remove_volume(name)
            except errors.NotFound:
                return

    def close(self) -> None:
        """Give connections back."""
        self._api.close()
