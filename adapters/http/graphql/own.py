"""What a job's token opens here: the one run of its attempt, and what leads its client there.

What is not listed is refused before a resolver is called, so a new field is closed to tokens
until somebody opens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from launchyard.adapters.http.graphql.specs import run_of
from launchyard.adapters.http.problems import RefusalError
from launchyard.domain.documents import Json
from launchyard.domain.spec import parse_spec
from launchyard.ports.records import ItemView
from launchyard.ports.tracking import Run, RunKey

OPEN: Final = frozenset(
    {
        *("Query.viewer", "Query.serverInfo", "Query.entity", "Query.project", "Query.model"),
        *("Project.entity", "Project.run", "Project.bucket", "Run.files", "Run.wandbConfig"),
        *("Mutation.upsertModel", "Mutation.upsertBucket"),
        *("Mutation.createRunFiles", "Mutation.markRunFilesUploaded"),
        *("Query.artifact", "Query.clientIDMapping", "Project.artifact"),
        *("Project.artifactType", "ArtifactType.artifactCollection"),
        *("Project.artifactCollection", "Project.artifactCollectionMembership"),
        *("ArtifactSequence.latestArtifact", "ArtifactSequence.artifactMembership"),
        *("ArtifactCollectionMembership.files", "Artifact.files", "Artifact.currentManifest"),
        *("Mutation.createArtifact", "Mutation.createArtifactFiles"),
        *("Mutation.createArtifactManifest", "Mutation.updateArtifactManifest"),
        *("Mutation.commitArtifact", "Mutation.updateArtifact", "Mutation.useArtifact"),
        *("Mutation.addAliases", "Mutation.deleteAliases"),
    }
)
"""Fields with a resolver that a token may ask for; each of them holds it to its own run.

Those of artifacts hold it to what its item made, and to reading what its launch names (`reach`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """An attempt that asks for itself: its item's place, and the run that it may write.

    `names`: the artifacts that its launch names, which it may read.
    """

    item: str
    attempt: int
    user: str
    run: RunKey
    names: tuple[str, ...] = ()

    def may_write(self, key: RunKey, known: Run | None) -> bool:
        """Tell whether *key* is its run; *known* is what there is of it.

        Scripts name their project themselves, so the run may be in any one, as long as nobody
        else's is there. A run that the launch itself names may be somebody's who is resumed.
        """
        if (key.entity, key.name) != (self.run.entity, self.run.name):
            return False
        return known is None or known.item == self.item or key.project == self.run.project


def own_of(view: ItemView) -> Own:
    """Return what the present attempt of an item may do; its run is in the item's own entity."""
    _, project = run_of(view.spec, view.entity)
    run = RunKey(entity=view.entity, project=project, name=view.run_id)
    return Own(
        item=view.id, attempt=view.attempt, user=view.submitter, run=run, names=_names(view.spec)
    )


def _names(spec: Json) -> tuple[str, ...]:
    """Return how a launch names artifacts: its job, and those that it puts in for others."""
    found = parse_spec(spec)
    given = (found.job, *found.overrides.artifacts.values())
    return tuple(one for one in given if isinstance(one, str) and one)


def refused(own: Own, what: str) -> RefusalError:
    """Return what a token is told that asks for more than its own."""
    detail = f"this job's token speaks for its own run {own.run.name!r} alone, not for {what}"
    remedy = "give the job a key of its own for that, as a secret named WANDB_API_KEY"
    return RefusalError(403, "forbidden", detail, remedy=remedy)
