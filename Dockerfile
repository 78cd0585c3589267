# The image for those who have Docker, Podman or BuildKit, from whatever the tag below names today, without the list of
# dependencies inside. Releases are made by image/build: the same files, without a daemon, with that list.
#   docker build --tag registry.example/connector-operator/connector-operator:0.1.0 .
FROM docker.io/library/rust:1.95-alpine AS build
RUN apk add --no-cache ca-certificates musl-dev
WORKDIR /src
COPY . .
ARG REVISION=unknown
RUN CONNECTOR_OPERATOR_REVISION="$REVISION" cargo build --release --locked \
 && printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' >passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' >group

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="connector-operator" \
      org.opencontainers.image.description="Declares, proves, watches and publishes SaaS API keys" \
      org.opencontainers.image.source="https://github.com/connector-operator/connector-operator" \
      org.opencontainers.image.documentation="https://github.com/connector-operator/connector-operator#readme" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build --chmod=0444 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chmod=0444 /src/passwd /etc/passwd
COPY --from=build --chmod=0444 /src/group /etc/group
COPY --from=build --chmod=0555 /src/target/release/connector-operator /connector-operator
COPY --from=build --chmod=0555 /src/target/release/connectorctl /connectorctl
USER 65532:65532
ENTRYPOINT ["/connector-operator"]
