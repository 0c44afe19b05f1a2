// The issuer's side of a verifier, over real HTTP and with real tokens, without policy, database or ledger: what it is told
// it keeps in arrays that tests read, and it fails when it is told to.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Clock } from "../../src/time.ts"
import { readClientAssertion } from "../../src/token/assertion.ts"
import { readUseBatch, type UseBatch } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { judgeProof, type Proof, readProof } from "../../src/token/proof.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { signTaskToken, type TaskTokenInput, taskTokenClaims } from "../../src/token/token.ts"
import { createSmallLog, heldIn, type SmallLog } from "./small-log.ts"

export const API = "https://tickets.internal.example"
export const API_PRIVATE_JWK = generatePrivateJwk("ES256")

export interface StubAnswer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Instead of the usual answer; a function writes one by hand, as long as it likes. */
type Override = (
  request: IncomingMessage,
) => StubAnswer | "hang" | ((response: ServerResponse) => void) | undefined

export type IssuerStub = Awaited<ReturnType<typeof startIssuerStub>>

/** `tellsTime`: whether its feed tells its clock, as the issuer's does. */
export async function startIssuerStub(clock: Clock, { tellsTime = false } = {}) {
  const signing = [importSigningKey(generatePrivateJwk("ES256"))]
  const requests: string[] = []
  const refused: string[] = []
  const batches: UseBatch[] = []
  /** The bytes of every batch that came in, whatever was answered. */
  const received: string[] = []
  const feed: RevocationItem[] = []
  /** The use that a token for one use was given to. */
  const claims = new Map<string, string>()
  /** Uses that a task has left; undefined: as many as there are. */
  const usesLeft = new Map<string, number>()
  /** What a use beyond them is told; task_paused where a task has none here. */
  const beyondCodes = new Map<string, string>()
  const overrides = new Map<string, Override>()
  const proofs = new Set<string>()
  let down = false
  let log = createSmallLog()

  const checkProof = (request: IncomingMessage, token?: string): Proof | undefined => {
    const text = request.headers.dpop
    const proof = typeof text === "string" ? readProof(text) : undefined
    if (!proof || proof instanceof Unreadable || proofs.has(proof.jti)) return undefined
    proofs.add(proof.jti)
    const url = `${issuer}${request.url}`
    const now = Math.floor(clock.now() / 1000)
    return judgeProof(proof, { method: request.method ?? "", url, now, accessToken: token })
      ? undefined
      : proof
  }
  const authenticate = (request: IncomingMessage): Proof | undefined => {
    const token = /^DPoP (service-[\w-]+)$/.exec(request.headers.authorization ?? "")?.[1]
    const proof = token === undefined ? undefined : checkProof(request, token)
    return proof && token === `service-${proof.jkt}` ? proof : undefined
  }
  const answerToken = (request: IncomingMessage, body: string): StubAnswer => {
    const form = new URLSearchParams(body)
    const assertion = readClientAssertion(form.get("client_assertion") ?? "")
    const proof = checkProof(request)
    if (assertion instanceof Unreadable || assertion.aud !== issuer || !proof)
      return json(401, { error: "invalid_client" })
    return json(200, { access_token: `service-${proof.jkt}`, token_type: "DPoP", expires_in: 300 })
  }
  const answerUses = (proof: Proof, body: string, held: string | null): StubAnswer => {
    received.push(body)
    const read = readUseBatch(body, proof.key)
    if (read instanceof Unreadable) return json(400, { code: "batch_invalid" })
    if (!batches.some((one) => one.sequence === read.batch.sequence)) batches.push(read.batch)
    const past = read.batch.uses.filter(({ task, decision }) => {
      const left = decision === "allowed" ? usesLeft.get(task) : undefined
      if (left !== undefined) usesLeft.set(task, left - 1)
      return left !== undefined && left <= 0
    })
    const beyond = Object.fromEntries(
      past.map(({ id, task }) => [id, beyondCodes.get(task) ?? "task_paused"]),
    )
    return json(200, { acknowledged: read.batch.sequence, beyond, ...log.answer(body, held) })
  }
  const answerClaim = (body: string): StubAnswer => {
    const { jti, use }: { jti: string; use: string } = JSON.parse(body)
    const claimed = (claims.get(jti) ?? use) === use
    if (claimed) claims.set(jti, use)
    return json(200, { claimed, ...(!claimed && { code: "token_used" }) })
  }
  const answer = (request: IncomingMessage, body: string): StubAnswer => {
    const url = new URL(request.url ?? "", issuer)
    if (url.pathname === "/.well-known/jwks.json")
      return json(200, { keys: signing.map((key) => key.publicJwk) })
    if (url.pathname === METADATA) return json(200, { issuer, ledger_key: log.vkey })
    if (url.pathname === "/token") return answerToken(request, body)
    const proof = authenticate(request)
    if (!proof) return json(401, { code: "service_token_invalid" })
    if (url.pathname === "/uses") return answerUses(proof, body, heldIn(request.headers))
    if (url.pathname === "/uses/claims") return answerClaim(body)
    if (url.pathname === "/catalogue") return json(200, CATALOGUE)
    const after = Number(url.searchParams.get("after"))
    const items = feed.filter((item) => item.cursor > after)
    return json(200, { items, cursor: items.at(-1)?.cursor ?? after, ...(tellsTime && { now: clock.now() }) })
  }
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? ""
    requests.push(`${request.method} ${path}`)
    if (down) return void request.socket.destroy()
    const body = await readBody(request)
    const result = overrides.get(path)?.(request) ?? answer(request, body)
    if (result === "hang") return
    if (typeof result === "function") return void result(response)
    if (result.status >= 400) refused.push(`${result.status} ${path}`)
    send(response, result)
  })
  const port = await listen(server)
  const issuer = `http://127.0.0.1:${port}`
  return {
    issuer,
    get log() {
      return log
    },
    /** From now on it answers with another ledger. */
    setLog(other: SmallLog) {
      log = other
    },
    signing,
    requests,
    refused,
    batches,
    received,
    feed,
    claims,
    usesLeft,
    beyondCodes,
    overrides,
    /** Every connection is cut until it is false again. */
    setDown(value: boolean) {
      down = value
    },
    uses: () => batches.flatMap((batch) => batch.uses),
    revoke(item: Partial<RevocationItem> & Pick<RevocationItem, "kind" | "value">) {
      const now = Math.floor(clock.now() / 1000)
      feed.push({ cursor: feed.length + 1, before: now, until: now + 1800, code: "token_revoked", ...item })
    },
    /** A token as the issuer would mint it, for `tickets/SUP-1042`. */
    mint: (changes: Partial<TaskTokenInput> = {}, key: SigningKey = first(signing)) =>
      signTaskToken(taskTokenClaims({ ...defaults(issuer, clock), ...changes }), key),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const METADATA = "/.well-known/oauth-authorization-server"
const CATALOGUE = {
  api: "tickets",
  resource: API,
  operations: [
    { operation: "tickets:read", risk: "low" },
    { operation: "tickets:comment", risk: "moderate" },
    { operation: "tickets:close", risk: "high" },
  ],
  staleness_seconds: { high: 30, moderate: 300, low: null },
}

export const OPERATIONS = ["tickets:read", "tickets:comment", "tickets:close"]

function defaults(issuer: string, clock: Clock): TaskTokenInput {
  const now = Math.floor(clock.now() / 1000)
  return {
    iss: issuer,
    aud: API,
    iat: now,
    exp: now + 600,
    jti: newId("tok"),
    clientId: "support-orchestrator",
    sub: "support-orchestrator",
    actors: [{ agent: "triage-bot", instance: "pod-7f3c" }],
    txn: newId("task"),
    lineage: [],
    grants: [
      { api: API, operations: OPERATIONS, resources: [["tickets", "SUP-1042"]], rule: "support.yaml#/0" },
    ],
    policy: `sha-256:${"A".repeat(43)}`,
  }
}

export const json = (status: number, body: object): StubAnswer => ({ status, body: JSON.stringify(body) })

function first<T>(list: readonly T[]): T {
  const [one] = list
  if (one === undefined) throw new Error("nothing there")
  return one
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = ""
  for await (const part of request) body += part
  return body
}

function send(response: ServerResponse, { status, body, headers }: StubAnswer): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(body)
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as AddressInfo).port
}
