"""Which readings do the unit tests begin with?"""

from dataclasses import replace

from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Breakdown, Group, Sample, Server
from pgheadroom.model.slots import Limits, Slots
from pgheadroom.step import Policy

POLICY = Policy(NameFolder().fold)

LIMITS = Limits(max_connections=20, superuser_reserved=3, reserved=2)

SERVER = Server(
    version=170010,
    version_text="17.10",
    started_at=500.0,
    in_recovery=False,
    role="pgheadroom",
    superuser=False,
    reserve=True,
    pooled=False,
)


def sample(
    at: float = 1000.0,
    groups: tuple[Group, ...] = (Group("api", "idle", 4, 10.0),),
    hidden: int = 0,
    limits: Limits = LIMITS,
    server: Server = SERVER,
    cost_seconds: float = 0.001,
) -> Sample:
    """Return a full reading of a small server."""
    visible = sum(group.count for group in groups)
    return Sample(
        at=at,
        duration_seconds=0.002,
        slots=Slots(limits, visible=visible, hidden=hidden),
        breakdown=Breakdown(
            at=at,
            visible=visible,
            groups=groups,
            roles=(),
            databases=(),
            sessions=(),
            complete=True,
            cost_seconds=cost_seconds,
        ),
        server=server,
    )


def older_server(found: Sample, version: int) -> Sample:
    """Return *found* as taken from a server of *version*."""
    return found._replace(server=replace(found.server, version=version))
