"""All that has resolvers."""

from __future__ import annotations

from collections.abc import Sequence

from launchyard.adapters.http.graphql.agents import AgentTopic
from launchyard.adapters.http.graphql.artifacts import ArtifactTopic
from launchyard.adapters.http.graphql.ask import Topic
from launchyard.adapters.http.graphql.kept import Kept
from launchyard.adapters.http.graphql.pushes import PushTopic
from launchyard.adapters.http.graphql.queues import QueueTopic
from launchyard.adapters.http.graphql.runs import RunTopic
from launchyard.adapters.http.graphql.viewer import ViewerTopic
from launchyard.adapters.http.house import House


def topics(house: House, kept: Kept) -> Sequence[Topic]:
    """Return every topic of the schema."""
    return (
        ViewerTopic(),
        QueueTopic(house),
        PushTopic(house),
        AgentTopic(house),
        RunTopic(house, kept),
        ArtifactTopic(house, kept),
    )
