# taskmint as a container: `serve` by default, `guard` with that argument. Built on the Node that the lock file pins.
# The final stage holds Node, the built package and its dependencies: no npm, no compiler, no sources.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM dependencies AS build
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build

FROM node:24.21.0-bookworm-slim
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-* \
    && mkdir -m 0700 /var/lib/taskmint && chown 1000:1000 /var/lib/taskmint
WORKDIR /opt/taskmint
COPY --from=dependencies /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
COPY migrations ./migrations
COPY policies ./policies
ENV NODE_ENV=production \
    TASKMINT_HOST=0.0.0.0 \
    TASKMINT_MANAGEMENT_PORT=9464 \
    TASKMINT_DATABASE=sqlite:/var/lib/taskmint/taskmint.db \
    TASKMINT_SPOOL=/var/lib/taskmint/uses.db \
    TASKMINT_POLICIES=/etc/taskmint/policies
# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
VOLUME /var/lib/taskmint
# The issuer, the guard, and for both /livez, /readyz and /metrics.
EXPOSE 8787 8788 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TASKMINT_MANAGEMENT_PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/taskmint/dist/cli/main.js"]
CMD ["serve"]
