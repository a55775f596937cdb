# The service in a container: the wheel is built once and installed with the locked requirements,
# nothing else. It runs as an unprivileged user and writes only below /var/lib/cds-service.
#
#   docker build -t b12-cds-service . && docker run --rm --read-only --tmpfs /tmp \
#     -v cds-store:/var/lib/cds-service -p 127.0.0.1:8080:8080 -e CDS_OPEN=true b12-cds-service

# Another base needs `python` 3.11 or newer with `venv`: --build-arg BASE=...
ARG BASE=python:3.13.15-slim-bookworm@sha256:ed86c82274b3c69b52fb5820f358f0bd7df0b603332063cb5c6e32bd220c3e6e
FROM $BASE AS build
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

FROM $BASE
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cds \
 && install --directory --owner=cds --mode=0700 /var/lib/cds-service
COPY --from=build /opt/cds /opt/cds
COPY fhir_samples/ /opt/samples/
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CDS_SAMPLES=/opt/samples/b12_under_two
VOLUME /var/lib/cds-service
WORKDIR /var/lib/cds-service
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/opt/cds/bin/python", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
# Listening beyond loopback starts only with a register of clients or with CDS_OPEN=true.
ENTRYPOINT ["/opt/cds/bin/cds-service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
