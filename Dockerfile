# goodhour in a container: docker build -t goodhour .
# docker-compose.yml runs it beside Apache Kafka.

# The pages' chart library, by the hash in the script.
FROM node:24-bookworm AS charts
WORKDIR /src
COPY api/web/fetch.sh api/web/fetch.sh
COPY api/web/lib api/web/lib
RUN sh api/web/fetch.sh charts

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
# The modules change seldom: a layer of their own.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=charts /src/api/web/lib api/web/lib
# The version that goodhour tells; .git is not in the image.
ARG VERSION=docker
RUN make build VERSION="$VERSION"

FROM debian:bookworm-slim
# Certificates for Kafka and providers over TLS, time zones for local hours of
# sending, and the C++ library that DuckDB is linked with.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 goodhour \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data goodhour \
 && install -d -o goodhour -g goodhour -m 0700 /data /etc/goodhour
COPY --from=build /src/bin/goodhour /usr/local/bin/goodhour
USER 10001:10001
# goodhour.yaml is read from here, where there is one.
WORKDIR /etc/goodhour
# Off the container's own loopback, so that a published port reaches it. Who
# asks from outside the container needs a key: goodhour key create.
ENV GOODHOUR_DATA=/data \
    GOODHOUR_API_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
# /livez by bash itself: the image has no other HTTP client.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/${GOODHOUR_API_LISTEN##*:} && printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["goodhour"]
CMD ["serve"]
