# Two stages: the first builds a virtual environment with pgheadroom, the second is that environment
# and Python. Only the volume for snapshots is written to. It needs no capability and no named user:
#
#   docker build -t pgheadroom .
#   docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges \
#       -v pgheadroom:/var/lib/pgheadroom \
#       -e PGHEADROOM_DSN=postgresql://pgheadroom@db1/postgres -p 127.0.0.1:10187:10187 pgheadroom
#
# The two bases may differ, but both need the same Python in the same place.
ARG BASE=docker.io/library/python:3.13-slim-bookworm
ARG BUILD_BASE=${BASE}
ARG RUN_BASE=${BASE}

FROM ${BUILD_BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# Dependencies change seldom, so they have their own layer. The environment that is copied has no pip:
# the one in /opt/build installs into it.
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/build \
    && python -m venv --without-pip /opt/pgheadroom \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
    && /opt/build/bin/pip --python /opt/pgheadroom/bin/python \
        install --require-hashes --only-binary=:all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY alerts/pgheadroom.rules.yml alerts/
COPY dashboards/pgheadroom-fleet.json dashboards/pgheadroom-server.json \
     dashboards/pgheadroom-leak.json dashboards/pgheadroom-self.json dashboards/
COPY exporter/ exporter/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/pgheadroom/bin/python install --no-deps dist/*.whl
COPY deploy/healthcheck.py /opt/pgheadroom/

FROM ${RUN_BASE}
COPY --from=build /opt/pgheadroom/ /opt/pgheadroom/
ENV PATH=/opt/pgheadroom/bin:${PATH} PYTHONUNBUFFERED=1
# Checks that it starts, and writes the bytecode of the standard library, which slim images lack, so
# that later starts are faster. At run time the file system is read-only.
RUN pgheadroom --version
ENV PYTHONDONTWRITEBYTECODE=1

# Snapshots of each target. A new volume takes its owner and mode from this directory.
RUN mkdir -m 0700 /var/lib/pgheadroom && chown 10001:10001 /var/lib/pgheadroom
ENV PGHEADROOM_STATE_DIRECTORY=/var/lib/pgheadroom
VOLUME /var/lib/pgheadroom

ARG SOURCE=""
ARG VERSION=""
LABEL org.opencontainers.image.title="pgheadroom" \
      org.opencontainers.image.description="Watches PostgreSQL's connection slots and pages before they run out" \
      org.opencontainers.image.licenses="Apache-2.0 AND MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}"

USER 10001:10001
EXPOSE 10187
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/opt/pgheadroom/bin/python", "-I", "/opt/pgheadroom/healthcheck.py"]
ENTRYPOINT ["pgheadroom"]
CMD ["serve"]
