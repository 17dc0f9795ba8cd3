# The provider without the embedded servers: what web, worker and migrations run from in production.
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/image.txt requirements/image.txt
RUN python -m venv /opt/idp && /opt/idp/bin/pip install --require-hashes --only-binary :all: -r requirements/image.txt
COPY . .
RUN /opt/idp/bin/pip install --no-deps .

FROM python:3.12-slim-bookworm
ENV PATH=/opt/idp/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 IDP_ENV=production IDP_KEYS=/keys
# Owned by nobody, so that a fresh volume mounted there is nobody's too; nothing else is writable.
RUN install -d -o nobody -g nogroup -m 0700 /keys
COPY --from=build /opt/idp /opt/idp
USER nobody
WORKDIR /
EXPOSE 8000 9000
CMD ["idp", "serve", "--bind", "0.0.0.0:8000"]
