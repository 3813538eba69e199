# The service as one image: Python, the locked libraries, the git command, and nothing that builds.
# Every step is the same on linux/amd64 and linux/arm64; docs/install.md tells how to build for both.
#
# A tag moves with the security patches of Python and Debian. Releases pin what they were tested with:
# --build-arg PYTHON_IMAGE=python:3.11-slim-trixie@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
COPY requirements.lock /tmp/requirements.lock
# The environment is made without pip, so that what is copied out of here cannot install anything.
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
      --require-hashes --requirement /tmp/requirements.lock
COPY router /app/router
# The root file system is read-only when it runs: what is compiled now is not compiled at each start.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app/router

FROM ${PYTHON_IMAGE}
# Debian keeps only the newest version of a package, so that a pinned one cannot be had any more after
# a security update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && python -m pip uninstall --yes pip setuptools wheel \
 && rm -rf /usr/local/lib/python3.11/ensurepip \
 && groupadd --gid 10001 flux-router \
 && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/flux-router \
      flux-router
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app/router /app/router
COPY LICENSE /app/LICENSE
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    ROUTER_CONFIG=/etc/flux-router/config/router.yaml \
    ROUTER_DATABASE_URL=sqlite:////var/lib/flux-router/flux-router.db \
    ROUTER_DATA_DIR=/var/lib/flux-router/clones
# By number, for Kubernetes has to see that it is not root.
USER 10001:10001
WORKDIR /var/lib/flux-router
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# For engines that are asked to watch; Kubernetes has probes of its own. No proxy is asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "router"]
CMD ["serve"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="flux-router" \
      org.opencontainers.image.description="Receives Git push webhooks and calls only the Flux Receivers of the layers a push changes" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
