// A Fastify scope in which nothing runs that no guard covers, and the handler that serves the resource's metadata. It
// decides nothing about tokens and chooses no status.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import type { Answer } from "../verifier/challenge.ts"
import { asGuard, isGuard } from "../verifier/target.ts"
import type { Verifier } from "../verifier/verifier.ts"
import { type MountOptions, type RoutePart, tellUnmapped } from "./mount.ts"

const COVERED: unique symbol = Symbol("covered by a guard")
declare module "fastify" {
  interface FastifyContextConfig {
    [COVERED]?: boolean
  }
}

/**
 * To be called first in a scope, before its routes: `app.register(async (api) => { guarded(verifier, api, options); ... })`.
 * Hooks added before it run, and what they answer by themselves is the host's. Every route of the scope, and of those in
 * it, without a guard among its own `onRequest` or `preValidation` hooks is refused; so are addresses that have none (it sets the scope's
 * not-found handler). The host is told, or stopped, when it gets ready.
 */
export function guarded(verifier: Verifier, api: FastifyInstance, options: MountOptions = {}): void {
  const unmapped: Pick<RoutePart, "method" | "path">[] = []
  const refuse = (_: FastifyRequest, reply: FastifyReply) => copy(reply, verifier.unmapped().answer)
  api.addHook("onRoute", (route) => {
    const covered = [route.onRequest ?? [], route.preValidation ?? [], route.handler].flat().some(isGuard)
    route.config = { ...route.config, [COVERED]: covered }
    for (const method of covered ? [] : [route.method].flat()) unmapped.push({ method, path: route.url })
  })
  api.addHook("onRequest", async (request, reply) =>
    request.routeOptions.config[COVERED] === true ? undefined : refuse(request, reply),
  )
  api.setNotFoundHandler(refuse)
  api.addHook("onReady", async () => tellUnmapped(unmapped, options))
}

/** Serves RFC 9728 metadata: `app.get(verifier.metadata.path, metadata(verifier))`. */
export const metadata = (verifier: Verifier) =>
  asGuard((_: FastifyRequest, reply: FastifyReply) => copy(reply, verifier.metadata.answer))

/** As bytes, which Fastify sends as they are. */
const copy = (reply: FastifyReply, { status, headers, body }: Answer) =>
  reply.code(status).headers(headers).send(Buffer.from(body))
