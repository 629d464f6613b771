# Trackeep in a container: the instance, its workers and the OAuth service are one image. See docs/deploy.md.
# Nothing in here depends on the processor: `docker buildx build --platform linux/amd64,linux/arm64 .`

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# Both files are parts of requirements.lock (tools/lock_parts.py): what runs, and what makes the wheel.
COPY deploy/runtime.lock deploy/build.lock ./
RUN python -m venv /opt/trackeep \
 && /opt/trackeep/bin/pip install --require-hashes --only-binary :all: -r runtime.lock \
 && python -m venv maker \
 && maker/bin/pip install --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN maker/bin/pip wheel --no-deps --no-build-isolation -w wheel . \
 && /opt/trackeep/bin/pip install --no-deps --no-index wheel/*.whl \
 && /opt/trackeep/bin/python -m compileall -q -j 0 /opt/trackeep/lib \
 && rm -r /opt/trackeep/lib/python3*/site-packages/pip*

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Trackeep" \
      org.opencontainers.image.description="Keep your own GitHub activity in your own database." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 trackeep \
 && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin trackeep \
 && install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /opt/trackeep /opt/trackeep
ENV PATH=/opt/trackeep/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRACKEEP_HOST=0.0.0.0 \
    TRACKEEP_PORT=8080 \
    TRACKEEP_DATA_DIR=/data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
# Also where programs put temporary files when the root is read-only and nothing else can be written.
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["trackeep", "healthcheck"]
ENTRYPOINT ["trackeep"]
CMD ["serve"]
