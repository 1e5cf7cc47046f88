# The operator's and the runtime's image, and what Backtests run: the runtime with the research libraries, which
# shares its layers. Any engine builds it: docker with or without BuildKit, buildah.
#
#   docker build --target operator .        docker build --target runtime .        docker build --target research .
#
# pip.conf, ca-bundle.crt and wheels/ in the build context are used where they exist (`python -m cluster
# images` puts the machine's own there). They stay in stages that are thrown away.
ARG BASE_IMAGE=python:3.13-slim
# An image that was built from the stage of that name earlier saves looking through its thousands of files.
ARG OPERATOR_BASE=operator-base
ARG RUNTIME_BASE=runtime-base
ARG RESEARCH_BASE=research-base

FROM ${BASE_IMAGE} AS tools
COPY requirements/build.txt pip.con[f] ca-bundle.cr[t] /opt/build/
COPY README.md wheel[s] /opt/build/wheels/
ENV PIP_CONFIG_FILE=/opt/build/pip.conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# Debian's Python may come without pip; then a wheel from the context starts it.
RUN umask 022 && python3 -m venv --without-pip /opt/smarttrade && python3 -m venv --without-pip /opt/tools \
 && { /opt/tools/bin/python -m ensurepip >/dev/null 2>&1 \
   || { wheel=$(echo /opt/build/wheels/pip-*.whl) && /opt/tools/bin/python "$wheel/pip" install -q --no-index "$wheel"; }; }
RUN /opt/tools/bin/python -m pip install -q --require-hashes -r /opt/build/build.txt

# A layer that changes with the lock file only. Byte code is compiled here and trusted without looking at
# the sources' times, because a container's first second is spent on imports. Of the Kubernetes client the
# operator uses the asyncio half; the other one's calls are left out, and its models are imported with the package.
FROM tools AS operator-dependencies
COPY requirements/operator.txt /opt/build/
RUN umask 022 \
 && /opt/tools/bin/python -m pip --python /opt/smarttrade/bin/python install -q --no-compile --require-hashes -r /opt/build/operator.txt \
 && find /opt/smarttrade -type d \( -name tests -o -name test -o -path '*/kubernetes/client/api' \) -prune -exec rm -rf {} + \
 && /opt/smarttrade/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/smarttrade/lib

FROM tools AS code
COPY pyproject.toml README.md LICENSE /opt/build/source/
COPY operator /opt/build/source/operator
COPY runtime /opt/build/source/runtime
RUN umask 022 \
 && /opt/tools/bin/python -m pip wheel -q --no-deps --no-build-isolation --wheel-dir /opt/build/wheel /opt/build/source \
 && /opt/tools/bin/python -m pip --python /opt/smarttrade/bin/python install -q --no-compile --no-deps --no-index /opt/build/wheel/*.whl \
 && /opt/smarttrade/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/smarttrade/lib

FROM ${BASE_IMAGE} AS operator-base
ENV PATH=/opt/smarttrade/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
CMD ["smarttrade-operator"]
COPY --from=operator-dependencies /opt/smarttrade /opt/smarttrade

FROM ${OPERATOR_BASE} AS operator
COPY --from=code /opt/smarttrade /opt/smarttrade
COPY requirements/sbom/operator.cdx.json /opt/smarttrade/sbom/

FROM tools AS runtime-dependencies
COPY requirements/runtime.txt /opt/build/
RUN umask 022 \
 && /opt/tools/bin/python -m pip --python /opt/smarttrade/bin/python install -q --no-compile --require-hashes -r /opt/build/runtime.txt \
 && find /opt/smarttrade -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
 && /opt/smarttrade/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/smarttrade/lib

FROM ${BASE_IMAGE} AS runtime-base
ENV PATH=/opt/smarttrade/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
COPY --from=runtime-dependencies /opt/smarttrade /opt/smarttrade

FROM ${RUNTIME_BASE} AS runtime
COPY --from=code /opt/smarttrade /opt/smarttrade
COPY requirements/sbom/runtime.cdx.json /opt/smarttrade/sbom/

# Only what the runtime lacks, as a layer above it.
FROM ${RUNTIME_BASE} AS runtime-built

FROM tools AS research-dependencies
COPY --from=runtime-built /opt/smarttrade /opt/smarttrade
COPY requirements/research.txt /opt/build/
RUN umask 022 \
 && /opt/tools/bin/python -m pip --python /opt/smarttrade/bin/python install -q --no-compile --no-deps --require-hashes --prefix /opt/research -r /opt/build/research.txt \
 && find /opt/research -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
 && /opt/smarttrade/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /opt/research -p /opt/smarttrade /opt/research/lib

FROM ${RUNTIME_BASE} AS research-base
COPY --from=research-dependencies /opt/research /opt/smarttrade

FROM ${RESEARCH_BASE} AS research
COPY --from=code /opt/smarttrade /opt/smarttrade
COPY requirements/sbom/runtime.cdx.json requirements/sbom/research.cdx.json /opt/smarttrade/sbom/
