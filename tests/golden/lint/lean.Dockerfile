# syntax=docker/dockerfile:1
ARG GO=1.23

FROM --platform=$BUILDPLATFORM golang:${GO} AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod <<EOF
  set -eux
  cd cmd/app
  CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app .
EOF

FROM debian:12-slim AS files
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=files /etc/ssl/certs /etc/ssl/certs
COPY --from=build --chmod=755 /out/app /app
EXPOSE 8080
ENTRYPOINT ["/app"]
