# The image of an agent; `launchyard server` runs from it as well: see docs/operations.md.
# docker build --build-arg BASE=<any image with Python 3.11 or later> -t launchyard .
ARG BASE=python:3.11-slim

FROM ${BASE} AS wheel
# The packages of every target there is; requirements/run.lock has local jobs alone.
ARG LOCK=requirements/image.lock
WORKDIR /src
COPY requirements requirements
RUN python3 -m venv /opt/launchyard \
    && /opt/launchyard/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r "${LOCK}"
COPY . .
# A wheel has the modules as files; the links of the checkout do not reach the image.
RUN /opt/launchyard/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps \
        --no-build-isolation --no-index --wheel-dir /dist . \
    && /opt/launchyard/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps \
        --no-index /dist/*.whl \
    && /opt/launchyard/bin/pip uninstall --yes --disable-pip-version-check poetry-core

FROM ${BASE}
# What jobs need: git and ssh for repositories, setsid for all. Empty where the base has it.
ARG PACKAGES="ca-certificates git openssh-client util-linux"
RUN if [ -n "${PACKAGES}" ]; then \
        apt-get update && apt-get install --yes --no-install-recommends ${PACKAGES} \
        && rm -rf /var/lib/apt/lists/*; \
    fi
# Written by hand, because small bases have no `useradd`.
RUN echo "launchyard:x:10001:10001::/var/lib/launchyard:/bin/sh" >> /etc/passwd \
    && echo "launchyard:x:10001:" >> /etc/group \
    && mkdir -p /var/lib/launchyard \
    && chown 10001:10001 /var/lib/launchyard
COPY --from=wheel /opt/launchyard /opt/launchyard
ENV PATH="/opt/launchyard/bin:${PATH}" \
    HOME=/var/lib/launchyard \
    PYTHONUNBUFFERED=1 \
    LAUNCHYARD_AGENT_STATE_DIR=/var/lib/launchyard/agent \
    LAUNCHYARD_AGENT_OPERATIONS_HOST=0.0.0.0 \
    LAUNCHYARD_CONTAINER=1
USER 10001:10001
WORKDIR /var/lib/launchyard
VOLUME /var/lib/launchyard
EXPOSE 9460
STOPSIGNAL SIGTERM
ENTRYPOINT ["launchyard"]
CMD ["agent"]
