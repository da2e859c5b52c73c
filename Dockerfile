# watcher as a container. The configuration is mounted at /etc/watcher/config.toml; the state lives in the volume
# /var/lib/watcher, and all else may be read-only:
#
#     docker build -t watcher .
#     docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#         -v ./config.toml:/etc/watcher/config.toml:ro -v watcher:/var/lib/watcher watcher
#
# Where packages come from an index of your own, hand the build a pip.conf:
# `docker build --secret id=pip,src=pip.conf -t watcher .` (it stays in no layer).

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The environment has no pip of its own: what runs needs none.
RUN python -m venv --without-pip /opt/watcher
COPY requirements.txt requirements-build.txt ./
# Only what the locks name, each file by its hash: first what runs, then what builds the wheel (and stays behind).
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip --python /opt/watcher/bin/python install --require-hashes -r requirements.txt \
    && pip install --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY watcher watcher
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && pip --python /opt/watcher/bin/python install --no-deps --no-index dist/*.whl \
    && /opt/watcher/bin/watcher --version

FROM python:3.13-slim
LABEL org.opencontainers.image.title="watcher" \
      org.opencontainers.image.description="Watches Azure OpenAI fine-tuning jobs and deployments" \
      org.opencontainers.image.licenses="MIT"
# A fixed id, so that volumes and Kubernetes' runAsUser can name it; it owns its state and nothing of the program.
RUN groupadd --system --gid 10001 watcher \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/watcher \
        --shell /usr/sbin/nologin watcher \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/watcher
COPY --from=build /opt/watcher /opt/watcher
# A handful of threads need no memory pool each; glibc would give them eight a core.
ENV PATH=/opt/watcher/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2
# The default database, sqlite:///watcher.db, is relative and so stands in the volume.
WORKDIR /var/lib/watcher
VOLUME /var/lib/watcher
USER 10001:10001
EXPOSE 8787
# It ends within 10 s; `docker stop` waits just so long.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["watcher", "health"]
ENTRYPOINT ["watcher"]
CMD ["run"]
