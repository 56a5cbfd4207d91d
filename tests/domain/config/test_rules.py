"""What one key's value asks of the others."""

from __future__ import annotations

import pytest

from launchyard.domain.config.problem import Problem
from launchyard.domain.documents import Json

from .kit import checked, config, errors, only_error, warnings

AWS: Json = {"type": "aws", "region": "us-east-1"}
GCP: Json = {"type": "gcp", "region": "us-central1", "project": "my-project-1"}
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/images"
GAR = "us-central1-docker.pkg.dev/my-project-1/images/train"
KANIKO: dict[str, Json] = {"type": "kaniko", "build-context-store": "s3://bucket/contexts"}


@pytest.mark.parametrize(
    ("registry", "uri"),
    [
        ({"type": "ecr", "uri": ECR}, ECR),
        ({"type": "ecr", "uri": ECR.replace(".dkr", "")}, ECR),
        ({"uri": f"https://{ECR}/"}, ECR),
        ({"type": "gcr", "uri": GAR}, GAR),
        (
            {"type": "acr", "uri": "https://my-registry.azurecr.io/team/images"},
            "my-registry.azurecr.io/team/images",
        ),
        (
            {
                "type": "ecr",
                "repo_name": "images",
                "region": "us-east-1",
                "account_id": "123456789012",
            },
            ECR,
        ),
        ({"uri": "localhost:5000/images"}, "localhost:5000/images"),
    ],
)
def test_registry_addresses_are_completed(registry: Json, uri: str) -> None:
    """Every documented spelling comes out as the address that registries answer to."""
    assert config({"registry": registry}).registry.uri == uri


def test_a_repository_by_its_name_uses_the_environment() -> None:
    """Region and project of the environment complete it, and say where they are from."""
    value: Json = {
        "environment": GCP,
        "registry": {"type": "gcr", "repository": "images", "image-name": "train"},
    }
    made = config(value)
    assert made.registry.uri == GAR
    assert made.origin("registry", "region") == made.origin("environment", "region")
    ecr = config({"environment": AWS, "registry": {"type": "ecr", "repository": "images"}})
    assert (ecr.registry.repository, ecr.registry.region) == ("images", "us-east-1")


def test_an_environment_may_say_no_more_than_its_type() -> None:
    """Azure needs nothing else, and `local` may be said aloud."""
    assert config({"environment": {"type": "azure"}}).environment.region is None
    assert config({"environment": {"type": "local"}}).environment.type == "local"
    assert checked({"environment": GCP}).problems == ()


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        (f"{ECR}:latest", ECR),
        (f"{ECR}@sha256:0a", ECR),
        ("localhost:5000/team/images:v1", "localhost:5000/team/images"),
        ("http://localhost:5000/images", "localhost:5000/images"),
        ("my-registry.azurecr.io/My-Images", "my-registry.azurecr.io/my-images"),
    ],
)
def test_addresses_that_cannot_be_pushed_to_are_refused(uri: str, remedy: str) -> None:
    """A tag, a digest, a scheme or capitals: the remedy is the address without."""
    problem = only_error({"builder": {"type": "docker", "destination": uri}})
    assert problem.repair is not None
    assert problem.repair.new == remedy
    assert f"`{remedy}`" in problem.hint


@pytest.mark.parametrize(
    ("uri", "form"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "<repository>"),
        ("us-central1-docker.pkg.dev/my-project-1/images", "<image-name>"),
        ("my-registry.azurecr.io/", "<repository>"),
    ],
)
def test_addresses_without_a_repository_are_refused(uri: str, form: str) -> None:
    """The message shows the whole form."""
    assert form in only_error({"registry": {"uri": uri}}).allowed


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"registry": {"type": "ecr"}}, "registry.type"),
        ({"registry": {"type": "acr", "repository": "x"}}, "registry.type"),
        ({"registry": {"type": "ecr", "repository": "x"}}, "registry.repository"),
        ({"environment": GCP, "registry": {"type": "gcr", "repository": "x"}},
         "registry.repository"),
        ({"environment": {"type": "gcp", "region": "us-central1"},
          "registry": {"type": "gcr", "repository": "x", "image-name": "y"}},
         "registry.repository"),
        ({"registry": {"type": "gcr", "uri": ECR}}, "registry.uri"),
        ({"registry": {"uri": GAR, "image-name": "y"}}, "registry.uri"),
        ({"registry": {"repository": "x"}}, "registry.repository"),
        ({"registry": {"type": "ecr", "uri": "https://example.org/x"}}, "registry.uri"),
        ({"registry": {"type": "ecr", "repository": ECR}}, "registry.repository"),
        ({"environment": {"type": "aws"}}, "environment.type"),
        ({"environment": {"region": "us-east-1"}}, "environment.region"),
        ({"builder": {"platform": "linux/amd64"}}, "builder.platform"),
        ({"builder": {"type": "kaniko"}}, "builder.type"),
        ({"builder": {**KANIKO, "secret-name": "s"}}, "builder.secret-name"),
        ({"builder": {**KANIKO, "secret-key": "s"}}, "builder.secret-key"),
        ({"registry": {"type": "ecr", "repository": "x", "repo_name": "y", "region": "us-east-1"}},
         "registry.repo_name"),
    ],
)  # fmt: skip
def test_incomplete_or_contradicting_keys_are_refused(value: Json, path: str) -> None:
    """One error, at the key to look at."""
    assert list(errors(value)) == [path]


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("url", "https://host:99999/", "webhook.url"),
        ("url", "https://a..b/", "webhook.url"),
        ("url", "https://host/caf\N{LATIN SMALL LETTER E WITH ACUTE}", "webhook.url"),
        ("url", "https://[::1/", "webhook.url"),
        ("url", "https://:8080/", "webhook.url"),
        ("allow", ["10.1.0.0/16", "10.1/16"], "webhook.allow[1]"),
        ("allow", ["10.1.0.0/33"], "webhook.allow[0]"),
        ("url", "https://host:8443/a?b=1", ""),
        ("url", "http://[::1]:80", ""),
        ("allow", ["10.1.2.3/16", "::1"], ""),
    ],
)
def test_a_webhook_that_cannot_be_posted_to_is_refused(key: str, value: Json, path: str) -> None:
    """What looks like an address or a network and is none would fail with the first event."""
    webhook: Json = {"secret": "s" * 16, key: value}
    assert list(errors({"webhook": webhook})) == [path] * bool(path)


@pytest.mark.parametrize(
    ("store", "good"),
    [
        ("s3://bucket", True),
        ("s3://bucket/a/b/", True),
        ("gs://bucket/contexts", True),
        ("https://account.blob.core.windows.net/container", True),
        ("https://account.blob.core.windows.net/container/a/", True),
        ("https://account.blob.core.windows.net/", False),
        ("https://bucket.s3.amazonaws.com/x", False),
        ("s3:bucket/contexts", False),
        ("/data", False),
    ],
)
def test_build_contexts_live_in_a_bucket_or_container(store: str, good: bool) -> None:
    """The three stores are recognised, and everything else refused."""
    value: Json = {"builder": {"type": "kaniko", "build-context-store": store}}
    assert (checked(value).config is not None) == good
    assert good or list(errors(value)) == ["builder.build-context-store"]


def test_a_volume_claim_takes_the_place_of_a_store() -> None:
    """W&B's variable for a shared volume is enough."""
    value: Json = {"builder": {"type": "kaniko"}}
    assert checked(value, {"WANDB_LAUNCH_KANIKO_PVC_NAME": "contexts"}).errors == ()


def kaniko_errors(containers: Json) -> tuple[Problem, ...]:
    """Return the errors of a kaniko-config with *containers*."""
    manifest: Json = {"spec": {"template": {"spec": {"containers": containers}}}}
    return checked({"builder": {**KANIKO, "kaniko-config": manifest}}).errors


def test_kaniko_config_is_one_container_with_flags_and_values() -> None:
    """What cannot be laid over the build job is refused where it stands."""
    assert kaniko_errors([{"args": ["--cache=false"], "env": []}]) == ()
    assert kaniko_errors([]) == ()
    before = ("builder", "kaniko-config", "spec", "template", "spec", "containers")
    (two,) = kaniko_errors([{}, {}])
    assert two.path == (*before, 1)
    (bare,) = kaniko_errors([{"args": ["--cache=false", "--verbose"]}])
    assert bare.path == (*before, 0, "args", 1)
    assert bare.line is not None
    assert kaniko_errors({"args": []})
    assert kaniko_errors([{"args": "--cache=false"}])
    assert checked({"builder": {**KANIKO, "kaniko-config": {"spec": []}}}).errors


def test_what_will_not_work_is_told_and_stops_nothing() -> None:
    """Keys that are not read and clouds that do not match are warnings."""
    assert "builder.platform" in warnings({"builder": {"type": "noop", "platform": "linux/amd64"}})
    assert "registry.uri" in warnings({"environment": GCP, "registry": {"uri": ECR}})
    other: Json = {"type": "aws", "region": "eu-west-1"}
    assert "eu-west-1" in warnings({"environment": other, "registry": {"uri": ECR}})["registry.uri"]
    assert "builder.type" in warnings({"environment": AWS, "builder": KANIKO})
    both: Json = {"registry": {"uri": ECR}, "builder": {"type": "docker", "destination": ECR}}
    assert "builder.destination" in warnings(both)
    assert warnings({"registry": {"uri": "localhost:5000/images"}})


def test_reaping_counts_for_nothing_on_a_wandb_server() -> None:
    """It cannot say what is over; our own can."""
    told = warnings({"reap_orphans": True, "server": "wandb+https://example.org"})
    assert "W&B server" in told["reap_orphans"]
    assert not warnings({"reap_orphans": True, "server": "https://example.org"})
    assert not warnings({"server": "wandb+https://example.org"})
