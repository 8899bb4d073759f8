"""Tests that a platform's variables are ignored and misspelt ones refused."""

import pytest

from pgheadroom.config.variables import of_platform, read_variables

# As kubelet's envvars.FromServices makes them of a Service `pgheadroom` with a port named http.
KUBERNETES = {
    "PGHEADROOM_SERVICE_HOST": "10.0.0.1",
    "PGHEADROOM_SERVICE_PORT": "10187",
    "PGHEADROOM_SERVICE_PORT_HTTP": "10187",
    "PGHEADROOM_PORT": "tcp://10.0.0.1:10187",
    "PGHEADROOM_PORT_10187_TCP": "tcp://10.0.0.1:10187",
    "PGHEADROOM_PORT_10187_TCP_PROTO": "tcp",
    "PGHEADROOM_PORT_10187_TCP_PORT": "10187",
    "PGHEADROOM_PORT_10187_TCP_ADDR": "10.0.0.1",
}
# As Docker's links.EnvVars makes them of a container with the alias `pgheadroom`.
DOCKER = {
    "PGHEADROOM_NAME": "/web/pgheadroom",
    "PGHEADROOM_PORT": "tcp://172.17.0.2:10187",
    "PGHEADROOM_PORT_10187_TCP": "tcp://172.17.0.2:10187",
    "PGHEADROOM_PORT_10187_TCP_START": "tcp://172.17.0.2:10187",
    "PGHEADROOM_PORT_10187_TCP_ADDR": "172.17.0.2",
    "PGHEADROOM_PORT_10187_TCP_PORT": "10187",
    "PGHEADROOM_PORT_10187_TCP_PORT_START": "10187",
    "PGHEADROOM_PORT_10187_TCP_PORT_END": "10190",
    "PGHEADROOM_PORT_10187_TCP_PROTO": "tcp",
    "PGHEADROOM_ENV_LANG": "C.UTF-8",
    "PGHEADROOM_ENV_PGHEADROOM_DSN": "host=x",
}


def named(variables: dict[str, str], service: str) -> dict[str, str]:
    """Return the same for a service that is called *service*."""
    return {
        name.replace("PGHEADROOM", service, 1): value.replace("/pgheadroom", f"/{service.lower()}")
        for name, value in variables.items()
    }


@pytest.mark.parametrize(
    "service",
    [
        *("PGHEADROOM", "PGHEADROOM_DEMO", "PGHEADROOM_CANARY", "PGHEADROOM_CONFIG"),
        *("PGHEADROOM_EU_1", "PGHEADROOM_TARGETS__A", "PGHEADROOM_DSN", "PGHEADROOM_PORT"),
    ],
)
@pytest.mark.parametrize("platform", [KUBERNETES, DOCKER], ids=["kubernetes", "docker"])
def test_a_service_of_our_name_is_passed_over(platform: dict[str, str], service: str) -> None:
    variables = named(platform, service) | {"PGHEADROOM_LISTEN": ":1"}
    given, problems = read_variables(variables)
    assert problems == []
    assert given.values == {"listen": ":1"}
    assert of_platform(variables) == tuple(sorted(named(platform, service)))


def test_ipv6_and_other_protocols() -> None:
    variables = {
        "PGHEADROOM_SERVICE_HOST": "fd00::1",
        "PGHEADROOM_PORT": "udp://[fd00::1]:53",
        "PGHEADROOM_PORT_53_SCTP_ADDR": "fd00::1",
    }
    assert read_variables(variables)[1] == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PGHEADROOM_PORT", "10187", "PGHEADROOM_PORT: no such setting"),
        ("PGHEADROOM_PORT", "", "PGHEADROOM_PORT: no such setting"),
        ("PGHEADROOM_SERVICE_HOST", "db1.example", "PGHEADROOM_SERVICE_HOST: no such setting"),
        ("PGHEADROOM_SERVICE_PORT", "http", "PGHEADROOM_SERVICE_PORT: no such setting"),
        ("PGHEADROOM_LISTEN_PORT", "80", "no such setting; did you mean PGHEADROOM_LISTEN?"),
        ("PGHEADROOM_INTERVAL_SECS", "1", "did you mean PGHEADROOM_INTERVAL_SECONDS?"),
        ("PGHEADROOM_INTERVAL_SECS", "", "did you mean PGHEADROOM_INTERVAL_SECONDS?"),
        ("PGHEADROOM_NAME", "/web", "PGHEADROOM_NAME: no such setting"),
        ("PGHEADROOM_ENV_DSN", "host=x", "PGHEADROOM_ENV_DSN: no such setting"),
        ("PGHEADROOM_LISTEN__X", ":1", "did you mean PGHEADROOM_LISTEN?"),
        ("PGHEADROOM_TARGETS__A__DSN__X", "y", "PGHEADROOM_TARGETS__A__DSN__X: no such setting"),
        ("PGHEADROOM_TARGETS__", "y", "PGHEADROOM_TARGETS__: no such setting"),
    ],
)
def test_a_misspelling_is_refused(name: str, value: str, told: str) -> None:
    (problem,) = read_variables({name: value})[1]
    assert told in problem


def test_the_ways_to_say_a_target() -> None:
    given, problems = read_variables(
        {
            "PGHEADROOM_TARGETS": "a=host=a,b=host=b1,b2 port=1,2",
            "PGHEADROOM_TARGETS__B": "host=c",
            "PGHEADROOM_TARGETS__B__EXTRA_RESERVED": "3",
            "PGHEADROOM_TARGETS__D": '{"dsn": "host=d"}',
            "PGHEADROOM_TARGETS__E__PASSWORD_FILE": "/p",
            "PGHEADROOM_TARGETS__F__DSN": "",
            "pgheadroom_alert_labels__Team__X": "y",
        }
    )
    assert problems == []
    assert given.values == {
        "targets": {
            "a": "host=a",
            "b": {"dsn": "host=c", "extra_reserved": "3"},
            "d": {"dsn": "host=d"},
            "e": {"password_file": "/p"},
        },
        "alert_labels": {"team__x": "y"},
    }
