// The sidecar for a proxy that forwards by itself and asks first: one question about one request, which never comes
// through here. It decides where that proxy says the method and the target, and leaves the rest to the sidecar's decision.
import type { IncomingMessage, ServerResponse } from "node:http"
import type { FieldError } from "../errors.ts"
import { valuesOf } from "../verifier/credential.ts"
import { sendAnswer } from "../verifier/outgoing.ts"
import { type Passing, useHeaders, WITHOUT_USE } from "./forwarded.ts"
import { createSidecar, type SidecarOptions } from "./sidecar.ts"

/** Who asks; each says the original request in a way of its own. */
export const FRONTS = ["nginx", "traefik", "envoy"] as const
export type Front = (typeof FRONTS)[number]

export interface ForwardAuthOptions extends SidecarOptions {
  readonly front: Front
}

interface Original {
  readonly method: string
  readonly target: string
}

const PATH = "/check"

/**
 * Prepares the listener: 200 with the `Taskmint-*` headers, or the finished refusal, at `/check`; metadata at its own
 * path; 404 elsewhere. In observe mode what would have been refused is 200, too, with those headers empty. Believes whoever can reach it what the original request was: only the proxy may. The use has no
 * status, for nobody tells what became of it.
 */
export function createForwardAuth(options: ForwardAuthOptions) {
  const sidecar = createSidecar(options)
  const original = ORIGINALS[options.front]
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { url = "", rawHeaders } = incoming
    if (url === sidecar.metadata.path) return sendAnswer(outgoing, sidecar.metadata.answer)
    if (!/^\/check(?:[/?]|$)/.test(url)) return void outgoing.writeHead(404).end()
    const read = original(incoming)
    if ("pointer" in read) return sendAnswer(outgoing, sidecar.malformed(read))
    const judged = await sidecar.judge({ ...read, rawHeaders })
    if ("answer" in judged) return sendAnswer(outgoing, judged.answer)
    const { passing } = judged
    passing.finished(0)
    outgoing.writeHead(200, { ...toldOf(passing), ...passing.headers, "Content-Length": "0" }).end()
  }
  return (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> =>
    answer(incoming, outgoing).catch(() => void outgoing.destroy())
}

/**
 * What the proxy sets on the request that goes on. Empty where there is no use, so that each proxy writes over the caller's
 * own. Whether the credential is another's, and to be left on, only the proxy can carry out.
 */
function toldOf(passing: Passing): Readonly<Record<string, string>> {
  if (passing.outcome === "allowed") return useHeaders(passing.use)
  return passing.outcome === "not_ours" ? { ...WITHOUT_USE, "Taskmint-Credential": "other" } : WITHOUT_USE
}

const ORIGINALS: Readonly<Record<Front, (incoming: IncomingMessage) => Original | FieldError>> = {
  nginx: (incoming) => fromHeaders(incoming, "x-original-method", "x-original-uri"),
  traefik: (incoming) => fromHeaders(incoming, "x-forwarded-method", "x-forwarded-uri"),
  envoy: ({ method = "", url = "" }) => ({ method, target: url.slice(PATH.length) }),
}

/** One of each, or it is not known which one the proxy wrote. */
function fromHeaders({ rawHeaders }: IncomingMessage, methodName: string, targetName: string) {
  const [methods, targets] = [valuesOf(rawHeaders, methodName), valuesOf(rawHeaders, targetName)]
  const [[method, ...otherMethods], [target, ...otherTargets]] = [methods, targets]
  if (method === undefined || otherMethods.length > 0)
    return { pointer: `/headers/${methodName}`, expected: "exactly one, from the proxy in front" }
  if (target === undefined || otherTargets.length > 0)
    return { pointer: `/headers/${targetName}`, expected: "exactly one, from the proxy in front" }
  return { method, target }
}
