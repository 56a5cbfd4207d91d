"""Settings of the domain's tests, which run where only pytest and hypothesis are installed."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes any single example slow; the suite's own time limit guards against loops.
settings.register_profile("launchyard", deadline=None)
settings.load_profile("launchyard")
