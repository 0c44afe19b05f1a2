// The issuer as the contract has it, over real HTTP, for the client's side: a task with tokens of two APIs and the agent's
// own token, renewed by token exchange with a proof or collected by the agent itself. It mints nothing real; it checks
// what a client must send, keeps it for tests to read, and fails when it is told to.

import type { Clock } from "../../src/time.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { judgeProof, readProof } from "../../src/token/proof.ts"
import { type Asked, type Scripted, startScripted } from "./scripted-server.ts"

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"

export type ContractIssuer = Awaited<ReturnType<typeof startContractIssuer>>

export interface ContractOptions {
  readonly clock: Clock
  /** The key that the task is bound to. */
  readonly jkt?: string
  readonly lifeSeconds?: number
  /** Of the policy: how long after its end the agent's own token still renews. */
  readonly graceSeconds?: number
}

export async function startContractIssuer(options: ContractOptions) {
  const { clock, lifeSeconds = 600, graceSeconds = 0 } = options
  const exchanges: { readonly resource: string; readonly at: number }[] = []
  const refused: string[] = []
  const endOf = new Map<string, number>()
  const proofs = new Set<string>()
  let serial = 0
  let override: ((asked: Asked) => Scripted | undefined) | undefined
  let jkt = options.jkt

  const mint = (resource: string) => {
    const token = `${resource === issuer ? "own" : "api"}-${++serial}`
    endOf.set(token, clock.now() + lifeSeconds * 1000)
    const scope = resource === issuer ? "task:renew" : "tickets:read"
    return { resource, access_token: token, token_type: "DPoP", expires_in: lifeSeconds, scope }
  }
  const refuse = (status: number, code: string, next: string): Scripted => {
    refused.push(code)
    return { status, body: { error: "invalid_grant", code, next } }
  }
  const proven = ({ headers, method, path }: Asked): string | undefined => {
    const proof = readProof(String(headers.dpop))
    if (proof instanceof Unreadable || proofs.has(proof.jti)) return undefined
    proofs.add(proof.jti)
    const now = Math.floor(clock.now() / 1000)
    return judgeProof(proof, { method, url: `${issuer}${path}`, now }) ? undefined : proof.jkt
  }
  const exchange = (asked: Asked, form: URLSearchParams): Scripted => {
    const [subject, resource] = [form.get("subject_token") ?? "", form.get("resource") ?? ""]
    if (proven(asked) !== jkt) return refuse(400, "proof_invalid", "renew")
    const endedAt = endOf.get(subject) ?? 0
    if (!subject.startsWith("own-")) return refuse(400, "token_invalid", "stop")
    if (clock.now() > endedAt + graceSeconds * 1000) return refuse(400, "token_expired", "stop")
    exchanges.push({ resource, at: clock.now() })
    const { resource: _, ...body } = mint(resource)
    return { body: { ...body, issued_token_type: "urn:ietf:params:oauth:token-type:access_token" } }
  }
  const collect = (asked: Asked): Scripted => {
    const by = proven(asked)
    const body: { dpop_jkt?: string } = JSON.parse(asked.body)
    if (by === undefined || by !== body.dpop_jkt) return refuse(401, "proof_invalid", "renew")
    jkt = by
    return { body: { tokens: [TICKETS, WIKI, issuer].map(mint) } }
  }
  const server = await startScripted((asked) => {
    const said = override?.(asked)
    if (said) return said
    const form = new URLSearchParams(asked.body)
    if (asked.path === "/token" && form.get("grant_type") === EXCHANGE) return exchange(asked, form)
    if (asked.path === "/token")
      return { body: { access_token: `service-${++serial}`, token_type: "DPoP", expires_in: 300 } }
    return asked.path === "/tasks/task_1/tokens" ? collect(asked) : { status: 404 }
  })
  const issuer = server.origin
  return {
    issuer,
    exchanges,
    refused,
    asked: server.asked,
    /** What `task.handover().tokens` would be now. */
    handed: (resources: readonly string[]) =>
      resources.map((resource) => {
        const { access_token: accessToken, scope } = mint(resource)
        const expiresAt = clock.now() + lifeSeconds * 1000
        const renewAt = clock.now() + lifeSeconds * 750
        return {
          resource,
          accessToken,
          tokenType: "DPoP" as const,
          expiresAt,
          renewAt,
          scope: [scope],
          authorizationDetails: [],
        }
      }),
    isLive: (token: string) => clock.now() < (endOf.get(token) ?? 0),
    answerWith(answer: typeof override) {
      override = answer
    },
    pending: server.pending,
    close: server.close,
  }
}

export const TICKETS = "http://127.0.0.1:1/tickets"
export const WIKI = "http://127.0.0.1:1/wiki"
