"""Which fixtures and rules hold for every test?"""

pytest_plugins = (
    "tests.fixtures.selection",
    "tests.fixtures.logs",
    "tests.fixtures.postgres",
    "tests.fixtures.programs",
)
