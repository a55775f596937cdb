# The service in a container, as a user without rights. Not built in CI yet (no container engine
# there): what CI does prove is the same wheel, installed from the same locked requirements.
#
#   docker build -t b12-cds-service . && docker run --rm -p 127.0.0.1:8080:8080 \
#     -e CDS_OPEN=true b12-cds-service

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/build && python -m venv /opt/cds \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && /opt/cds/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY cds_service/ cds_service/
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/cds/bin/pip install --no-index --no-deps /dist/*.whl \
 && /opt/cds/bin/cds-service check

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cds \
 && install -d -o 10001 /var/lib/b12-cds-service
COPY --from=build /opt/cds /opt/cds
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# What is kept outlives the container in a volume there, or in a database named instead.
ENV CDS_DATABASE_URL=sqlite:////var/lib/b12-cds-service/store.sqlite
VOLUME /var/lib/b12-cds-service
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/opt/cds/bin/python", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
# Listening beyond loopback starts only with CDS_OPEN=true, said by whoever runs it.
ENTRYPOINT ["/opt/cds/bin/cds-service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
