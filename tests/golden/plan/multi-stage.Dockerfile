ARG FLAVOUR=debian
FROM ${FLAVOUR} AS build
ARG VERSION=1
WORKDIR /src
COPY go.mod *.go ./
RUN --mount=type=cache,target=/root/.cache make VERSION=$VERSION

FROM nothing-needs-this
RUN false

FROM scratch
COPY --from=build --chown=1:2 /src/out /bin/app
USER 1:2
ENTRYPOINT ["/bin/app"]
