# The service as one image: Python, the locked libraries, the git command, and nothing that builds.
FROM python:3.11-slim AS libraries
COPY requirements.lock /tmp/requirements.lock
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement /tmp/requirements.lock

FROM python:3.11-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --home-dir /var/lib/flux-router flux-router
COPY --from=libraries /opt/venv /opt/venv
COPY router /app/router
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    ROUTER_CONFIG=/etc/flux-router/config/router.yaml \
    ROUTER_DATABASE_URL=sqlite:////var/lib/flux-router/flux-router.db \
    ROUTER_DATA_DIR=/var/lib/flux-router/clones
USER 10001
WORKDIR /var/lib/flux-router
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "router"]
CMD ["serve"]
