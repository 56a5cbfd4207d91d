"""Write a launch spec as the document that it came from."""

from __future__ import annotations

from launchyard.domain.documents import Json, copy_json
from launchyard.domain.spec.model import ArchiveSource, Docker, GitSource, LaunchSpec, Overrides

_SAME = (
    "job",
    "image_uri",
    "git",
    "resource",
    "resource_args",
    "name",
    "author",
    "run_id",
    "sweep_id",
    "uri",
    "python_version",
    "template_variables",
    "queue_entity",
    "registry",
    "builder",
    "timeout_s",
    "priority",
    "env",
)


def to_document(spec: LaunchSpec) -> dict[str, Json]:
    """Return *spec* as a document of its own; `parse_spec` gives an equal spec for it.

    `entity` and `project` are always there, because stock agents fail without them; other keys
    are when they say something.
    """
    written: dict[str, Json] = {
        **_copy(dict(spec.extra)),
        **{key: getattr(spec, key) for key in _SAME},
        "docker": _docker(spec.docker),
        "overrides": _overrides(spec.overrides),
        "_wandb_api_key": spec.wandb_api_key,
        "_resume_count": spec.resume_count or None,
        "additional_services": [
            {**s.extra, "name": s.name, "config": dict(s.config)} for s in spec.additional_services
        ],
        "source": _code(spec.code),
        "secrets": [{"env": s.env, "from": s.source} for s in spec.secrets],
        "requirements": _listed(spec.requirements),
        "outputs": list(spec.outputs),
    }
    said = {key: value for key, value in written.items() if _says(value) or key in spec.extra}
    return _copy({"entity": spec.entity, "project": spec.project, **said})


def _says(value: Json) -> bool:
    return value is not None and value not in ("", [], {})


def _copy(value: dict[str, Json]) -> dict[str, Json]:
    return {key: copy_json(item) for key, item in value.items()}


def _listed(value: str | tuple[str, ...]) -> Json:
    return value if isinstance(value, str) else list(value)


def _docker(docker: Docker) -> dict[str, Json]:
    written: dict[str, Json] = {"docker_image": docker.image, "user_id": docker.user_id}
    return {**docker.extra, **{key: value for key, value in written.items() if _says(value)}}


def _overrides(overrides: Overrides) -> dict[str, Json]:
    written: dict[str, Json] = {
        "args": list(overrides.args),
        "entry_point": list(overrides.entry_point),
        "run_config": dict(overrides.run_config),
        "artifacts": dict(overrides.artifacts),
        "files": dict(overrides.files),
        "dockerfile": overrides.dockerfile,
        "working_dir": overrides.working_dir,
    }
    return {**overrides.extra, **{key: value for key, value in written.items() if _says(value)}}


def _code(code: ArchiveSource | GitSource | None) -> Json:
    match code:
        case None:
            return None
        case ArchiveSource(sha256):
            return {"archive": sha256}
        case GitSource(url, ref, subdir):
            parts = {"url": url, "ref": ref, "path": subdir}
            return {"git": {key: value for key, value in parts.items() if value}}
