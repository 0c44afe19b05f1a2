// A whole issuer in process: the shipped policies with keys of the test's own, a real database (engine.ts), a clock that the test
// moves, and callers that authenticate as the contract says. Closed and removed by the test that made it.
import { randomBytes, randomUUID } from "node:crypto"
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createIssuer, type Issuer, type IssuerOptions } from "../../src/issuer/issuer.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { signClientAssertion } from "../../src/token/assertion.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import { testPlace } from "./engine.ts"
import { createFakeClock, type FakeClock } from "./fake-clock.ts"
import { placeKey } from "./policy-keys.ts"
import { ROOT } from "./source.ts"

export const ISSUER = "https://taskmint.internal"
export const TICKETS = "https://tickets.internal.example"
export const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const NAMES = [
  "support-orchestrator",
  "release-orchestrator",
  "tickets",
  "deployments",
  "audit-team",
  "operations-team",
] as const
export type CallerName = (typeof NAMES)[number]

export interface Call {
  readonly as?: CallerName
  readonly json?: unknown
  readonly body?: string | Uint8Array | ReadableStream
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: string
}

export interface House {
  readonly issuer: Issuer
  readonly clock: FakeClock
  readonly folder: string
  readonly policyFolder: string
  /** Where its data is, as `openDatabase` is told. */
  readonly database: string
  /** What onFault was told. */
  readonly faults: unknown[]
  readonly keys: Readonly<Record<CallerName, SigningKey>>
  /** The key that this API's service token is bound to: its verifier instance's. */
  proofKeyOf(name: CallerName): SigningKey
  /** One request; with `as` it carries a service token of that caller, kept while it lives. */
  call(method: string, path: string, call?: Call): Promise<Response>
  /** The same, and its JSON. */
  ask(method: string, path: string, call?: Call): Promise<{ status: number; body: Record<string, unknown> }>
  assertion(name: CallerName, changes?: Partial<Parameters<typeof signClientAssertion>[0]>): string
  /** Posts a form to /token. */
  form(members: Record<string, string> | string, headers?: Record<string, string>): Promise<Response>
  serviceToken(name: CallerName, proofKey?: SigningKey): Promise<string>
  restart(changes?: Partial<IssuerOptions>): Promise<void>
  remove(): Promise<void>
}

const isApi = (name: CallerName) => name === "tickets" || name === "deployments"

/** What the shipped support policy lets the support orchestrator start. */
export const START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Triage the ticket",
  inputs: { ticket: "SUP-1042" },
}

export async function openHouse(
  changes: Partial<IssuerOptions> & {
    readonly files?: Readonly<Record<string, string>>
    /** Where its clock stands; default: a day of the tests'. */
    readonly startAt?: number
  } = {},
): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-issuer-"))
  const policyFolder = join(folder, "policies")
  cpSync(join(ROOT, "policies"), policyFolder, { recursive: true })
  const keys = makeKeys(policyFolder)
  const { files = {}, startAt, ...overrides } = changes
  for (const [name, text] of Object.entries(files)) writeFileSync(join(policyFolder, name), text)
  const clock = createFakeClock(startAt)
  const faults: unknown[] = []
  const at = await testPlace(folder)
  const options: IssuerOptions = {
    issuer: ISSUER,
    database: at.place,
    policies: policyFolder,
    keyEncryptionKey: randomBytes(32),
    clock,
    onFault: (error) => faults.push(error),
    ...overrides,
  }
  let issuer = await createIssuer(options)
  const proofKeys = new Map<string, SigningKey>()
  const kept = new Map<string, { token: string; until: number }>()
  const now = () => toEpochSeconds(clock.now())

  const proofKeyOf = (name: CallerName): SigningKey => {
    const key = proofKeys.get(name) ?? importSigningKey(generatePrivateJwk("ES256"))
    proofKeys.set(name, key)
    return key
  }
  const form: House["form"] = (members, headers = {}) =>
    issuer.fetch(
      new Request(`${ISSUER}/token`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body: typeof members === "string" ? members : new URLSearchParams(members).toString(),
      }),
    )
  const assertion: House["assertion"] = (name, changed = {}) =>
    signClientAssertion(
      { clientId: name, issuer: ISSUER, jti: randomUUID(), now: now(), ...changed },
      keys[name],
    )
  const serviceToken: House["serviceToken"] = async (name, proofKey) => {
    const members = {
      grant_type: "client_credentials",
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: assertion(name),
    }
    const proof = proofKey && signProof({ method: "POST", url: `${ISSUER}/token`, now: now() }, proofKey)
    const answer = await form(members, proof === undefined ? {} : { dpop: proof })
    const body: unknown = await answer.json()
    if (typeof body === "object" && body !== null && "access_token" in body) return String(body.access_token)
    throw new Error(`no service token: ${JSON.stringify(body)}`)
  }
  const credentials = async (name: CallerName, method: string, path: string) => {
    const known = kept.get(name)
    const proofKey = isApi(name) ? proofKeyOf(name) : undefined
    const token = known && known.until > now() ? known.token : await serviceToken(name, proofKey)
    if (token !== known?.token) kept.set(name, { token, until: now() + 240 })
    if (!proofKey) return { authorization: `Bearer ${token}` }
    const url = `${ISSUER}${path.split("?")[0]}`
    const dpop = signProof({ method, url, accessToken: token, now: now() }, proofKey)
    return { authorization: `DPoP ${token}`, dpop }
  }
  const call: House["call"] = async (method, path, { as, json, body, headers, token } = {}) =>
    issuer.fetch(
      new Request(`${ISSUER}${path}`, {
        method,
        headers: {
          ...(json !== undefined && { "content-type": "application/json" }),
          ...(as && (await credentials(as, method, path))),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(json !== undefined && { body: JSON.stringify(json) }),
        ...(body !== undefined && { body, duplex: "half" as const }),
      }),
    )
  return {
    get issuer() {
      return issuer
    },
    clock,
    folder,
    policyFolder,
    database: at.place,
    faults,
    keys,
    proofKeyOf,
    call,
    form,
    assertion,
    serviceToken,
    async ask(method, path, one) {
      const answer = await call(method, path, one)
      const text = await answer.text()
      return { status: answer.status, body: text === "" ? {} : JSON.parse(text) }
    },
    async restart(changed = {}) {
      await issuer.close()
      issuer = await createIssuer({ ...options, ...changed })
    },
    async remove() {
      await issuer.close()
      await at.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The shipped policies name key files; theirs have private halves that nobody has. */
function makeKeys(policyFolder: string): Record<CallerName, SigningKey> {
  const keys = NAMES.map((name) => [name, placeKey(policyFolder, name).key])
  return Object.fromEntries(keys) as Record<CallerName, SigningKey>
}
