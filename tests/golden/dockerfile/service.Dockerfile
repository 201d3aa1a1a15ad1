# syntax=docker/dockerfile:1
# check=skip=JSONArgsRecommended

# Versions are bumped by hand.
ARG GO=1.22 BASE=alpine
ARG TAG="3.20 "

# build compiles the service
FROM --platform=$BUILDPLATFORM golang:${GO:-1.21} AS Build
WORKDIR /src
COPY --link go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod,sharing=locked \
    --mount=type=secret,id=netrc,target=/root/.netrc,required \
    go mod download
# the sources change more often than the modules
COPY . .
ARG TARGETOS TARGETARCH=amd64
RUN --network=none GOOS=$TARGETOS \
# cross compilation needs no compiler

    go build -o /out/app ./cmd/app && \
    strip /out/app

FROM ${BASE}:${TAG}
LABEL org.opencontainers.image.title="An app" \
      version=1.0 empty=
ENV PATH=/opt/bin:$PATH GREETING='hello "world"'
ENV LEGACY  value with  blanks
COPY --from=build --chown=app:app --chmod=0755 --exclude=*.md /out/app /opt/bin/
ADD --checksum=sha256:0000 --unpack https://example.com/x.tgz /x
USER app:app
EXPOSE 8080/tcp 9000-9001/UDP $EXTRA
VOLUME ["/var/lib/app data", "/tmp"]
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --timeout=1.5s --retries=3 CMD curl -f http://localhost/ || exit 1
SHELL ["/bin/ash", "-eo", "pipefail", "-c"]
ENTRYPOINT ["/opt/bin/app"]
CMD serve --port  8080
