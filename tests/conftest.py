"""Holds the fixtures and rules of every test."""

import os

from hypothesis import settings

pytest_plugins = (
    "tests.support.fixtures.selection",
    "tests.support.fixtures.logs",
    "tests.support.fixtures.postgres",
    "tests.support.fixtures.programs",
)

# The same examples each time, so that a run says something of the change that it is run for. New
# ones are searched for with HYPOTHESIS_PROFILE=search. How long one takes is no matter.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
