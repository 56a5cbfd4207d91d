"""Fill in what follows from other keys, once nothing is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from launchyard.domain.config.layers import Setting
from launchyard.domain.config.uris import address
from launchyard.domain.documents import Path

_CLOUDS: Final = {"ecr": "aws", "gcr": "gcp"}
_TYPE, _URI = ("registry", "type"), ("registry", "uri")
_REPOSITORY, _IMAGE = ("registry", "repository"), ("registry", "image-name")


def completed(settings: Mapping[Path, Setting]) -> dict[Path, Setting]:
    """Return *settings* with the registry's type, region, project and address where known.

    What is filled in has the origin of the key it follows from.
    """
    done = dict(settings)
    uri = _text(done, _URI)
    if uri and not _text(done, _TYPE) and (kind := address(uri).kind):
        _follow(done, _TYPE, _URI, kind)
    cloud = _CLOUDS.get(_text(done, _TYPE))
    if uri and (region := address(uri).region):
        _follow(done, ("registry", "region"), _URI, region)
    if cloud and _text(done, ("environment", "type")) == cloud:
        for key in ("region", "project") if cloud == "gcp" else ("region",):
            _follow(
                done, ("registry", key), ("environment", key), _text(done, ("environment", key))
            )
    if not uri and (built := _address(done)):
        _follow(done, _URI, _REPOSITORY, built)
    return done


def _text(settings: Mapping[Path, Setting], path: Path) -> str:
    value = settings[path].value
    return value if isinstance(value, str) else ""


def _follow(settings: dict[Path, Setting], path: Path, source: Path, value: str) -> None:
    if value and not _text(settings, path):
        settings[path] = replace(settings[path], value=value, origin=settings[source].origin)


def _address(settings: Mapping[Path, Setting]) -> str:
    kind, name = _text(settings, _TYPE), _text(settings, _REPOSITORY)
    region = _text(settings, ("registry", "region"))
    if kind == "gcr" and name:
        project, image = _text(settings, ("registry", "project")), _text(settings, _IMAGE)
        return f"{region}-docker.pkg.dev/{project}/{name}/{image}"
    account = _text(settings, ("registry", "account_id"))
    if kind == "ecr" and name and account:
        return f"{account}.dkr.ecr.{region}.amazonaws.com/{name}"
    return ""
