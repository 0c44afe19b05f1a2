// Catalogue K01 and K24: secrets pushed through every endpoint and error path, and looked for in everything that comes out or
// stays: answers, their headers, the database's files, what the operator is told.
import { randomBytes } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest"
import { copyDatabase } from "../../src/database/backup.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { everythingAt, onPostgres } from "../support/engine.ts"
import { startGuardedApi } from "../support/guarded-api.ts"
import { ASSERTION_TYPE, type Call, type House, openHouse, START } from "../support/issuer-house.ts"
import { API_PRIVATE_JWK } from "../support/issuer-stub.ts"
import { type Asked, surfaceOf } from "../support/surface.ts"
import { NAME, openDesk } from "../support/token-desk.ts"

vi.setConfig({ testTimeout: 60_000 })

const keyEncryptionKey = randomBytes(32)
let house: House
let desk: ReturnType<typeof openDesk>
let surface: readonly Asked[]
const answers: string[] = []
/** What must never come out again, and where it went in. */
const canaries = new Map<string, string>()

beforeAll(async () => {
  house = await openHouse({ keyEncryptionKey })
  desk = openDesk(house)
  surface = [...(await surfaceOf(house)), NOWHERE]
})
afterAll(() => house.remove())

/** A fresh secret of the shape of a JWT, or of a private key. */
function canary(where: string, shape: "jwt" | "key" = "jwt"): string {
  const part = () => randomBytes(48).toString("base64url")
  const text = shape === "key" ? randomBytes(32).toString("base64url") : `eyJ${part()}.${part()}.${part()}`
  canaries.set(where, text)
  return text
}

async function send(method: string, path: string, call: Call = {}): Promise<Response> {
  const answer = await house.call(method, path, call)
  answers.push(inspect(Object.fromEntries(answer.headers)))
  // A stream does not end by itself, and has begun before anything of the request could be in it.
  if (answer.headers.get("content-type")?.includes("event-stream")) await answer.body?.cancel()
  else answers.push(await answer.clone().text())
  return answer
}

const NOWHERE: Asked = { method: "GET", path: "/nowhere", parameters: [], callers: [], bodyType: undefined }
const CALLERS = ["support-orchestrator", "tickets", "audit-team", "operations-team"] as const
const TYPES = ["application/json", "application/x-www-form-urlencoded", "application/jwt", "text/plain"]

/** The path with something else in the place of each id. */
const withIds = ({ path }: Asked, id: string) => path.replace(/\{\w+\}/g, id)

test("K01 the list of endpoints is whole", () => {
  const listed = surface.map(({ method, path }) => `${method} ${path}`)
  for (const one of [
    "POST /token",
    "POST /introspect",
    "POST /revoke",
    "POST /approvals",
    "POST /uses/claims",
    "POST /exposures",
    "POST /canaries",
    "GET /ledger/export",
    "GET /console",
  ])
    expect(listed).toContain(one)
  expect(listed.length).toBeGreaterThan(80)
})

test("K01 every endpoint, as nobody: credentials, bodies, queries and paths", async () => {
  for (const asked of surface) {
    const { method } = asked
    const path = withIds(asked, "x")
    const at = `${method} ${asked.path}`
    for (const scheme of ["Bearer", "DPoP", "Basic"])
      await send(method, path, {
        headers: {
          authorization: `${scheme} ${canary(`${at} ${scheme}`)}`,
          dpop: canary(`${at} ${scheme} proof`),
          cookie: `__Host-taskmint=${canary(`${at} ${scheme} cookie`)}`,
        },
      })
    await send(method, `${path}?access_token=${canary(`${at} query`)}`)
    await send(method, `${path}/${canary(`${at} path`)}`)
    if (method === "POST")
      for (const type of TYPES)
        await send(method, path, { body: canary(`${at} ${type}`), headers: { "content-type": type } })
  }
})

test("K01 every endpoint, as each caller: bodies, member names, values, queries, ids", async () => {
  for (const as of CALLERS)
    for (const asked of surface.filter(({ path }) => path !== "/token")) {
      const { method } = asked
      const path = withIds(asked, "x")
      const at = `${as} ${method} ${asked.path}`
      await send(method, `${path}?${canary(`${at} name`, "key")}=${canary(`${at} value`)}`, { as })
      if (path !== asked.path) await send(method, withIds(asked, canary(`${at} id`)), { as })
      if (method !== "POST") continue
      await send(method, path, { as, json: { [canary(`${at} member`)]: canary(`${at} member value`) } })
      await send(method, path, { as, json: canary(`${at} JSON`) })
      const type = { "content-type": asked.bodyType ?? TYPES[0] ?? "" }
      await send(method, path, { as, body: `{"a":${canary(`${at} not JSON`)}`, headers: type })
      await send(method, path, { as, body: canary(`${at} jwt`), headers: { "content-type": TYPES[2] ?? "" } })
    }
})

test("K01 the start of a task: every member that is not free text", async () => {
  const as = NAME
  const wrong: [string, (where: string) => object][] = [
    ["type", (where) => ({ type: canary(where) })],
    ["agent id", (where) => ({ agent: { id: canary(where), instance: "pod-1" } })],
    ["instance", (where) => ({ agent: { id: "triage-bot", instance: canary(where) } })],
    ["input", (where) => ({ inputs: { ticket: canary(where) } })],
    ["input's name", (where) => ({ inputs: { ticket: "SUP-1", [canary(where)]: "x" } })],
    ["operation", (where) => ({ operations: [canary(where, "key")] })],
    ["resource", (where) => ({ resources: [canary(where, "key")] })],
    ["thumbprint", (where) => ({ dpop_jkt: `${canary(where, "key")}=` })],
    ["subject token", (where) => ({ subject_token: canary(where) })],
  ]
  for (const [what, change] of wrong) {
    const answer = await send("POST", "/tasks", { as, json: { ...START, ...change(`start ${what}`) } })
    expect(answer.status, what).toBeGreaterThanOrEqual(400)
  }
})

test("K01 the token endpoint: what was bent, what was right, what was secret", async () => {
  const form = async (members: Record<string, string>, headers: Record<string, string> = {}) => {
    const answer = await house.form({ grant_type: "client_credentials", ...members }, headers)
    answers.push(inspect(Object.fromEntries(answer.headers)), answer.ok ? "" : await answer.clone().text())
    return answer
  }
  const with_ = (assertion: string) => ({
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  })
  const keep = (where: string, text: string) => {
    canaries.set(where, text)
    return text
  }
  await form(with_(canary("assertion")))
  await form({ ...with_(canary("assertion 2")), client_secret: canary("secret", "key") })
  await form({ ...with_(desk.assert()), scope: canary("scope", "key") })
  await form({ ...with_(desk.assert()), resource: canary("resource", "key") })
  await form({ ...with_(desk.assert()), [canary("parameter", "key")]: canary("parameter value") })
  await form({ ...with_(desk.assert()), grant_type: canary("grant type", "key") })
  await form({ ...with_(desk.assert()), client_assertion_type: canary("assertion type", "key") })
  await form(with_(desk.assert()), { dpop: canary("proof") })
  await form(with_(keep("genuine assertion of the wrong time", desk.assert({ exp: 1 }))))
  const good = keep("genuine assertion", desk.assert())
  const answer = await form(with_(good))
  expect(answer.status).toBe(200)
  await form(with_(good))
})

test("K01 nothing of it comes out or stays, and no token, key or proof either", async () => {
  const started = await house.ask("POST", "/tasks", { as: NAME, json: START })
  const [minted] = started.body.tokens as { access_token: string }[]
  canaries.set("task token", minted?.access_token ?? "missing")
  canaries.set("task token's signature", minted?.access_token.split(".")[2] ?? "missing")
  const proofKey = generatePrivateJwk("ES256")
  canaries.set("service token", await house.serviceToken("tickets", importSigningKey(proofKey)))
  canaries.set("key-encryption key", keyEncryptionKey.toString("base64url"))
  await send("GET", "/ledger/entries?limit=1000", { as: "audit-team" })
  await send("GET", `/tasks/${started.body.task_id}`, { as: "audit-team" })
  await house.issuer.sweep()

  expect(canaries.size).toBeGreaterThan(1500)
  const out = Buffer.from([...answers, inspect(house.faults, { depth: 12 })].join("\n"))
  expect(found(out), "in answers").toEqual([])
  const kept = await everythingAt(house.database)
  expect(kept.length).toBeGreaterThan(1)
  expect(kept.some(([, bytes]) => bytes.includes(String(started.body.task_id)))).toBe(true)
  for (const [name, bytes] of kept) expect(found(bytes), name).toEqual([])
  expect(house.faults).toEqual([])
})

/** A secret as it went in, or coded as URLs, base64 and hex do. */
const codings = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString("base64").slice(0, -4),
  Buffer.from(secret).toString("base64url").slice(0, -4),
  Buffer.from(secret).toString("hex"),
]

const PREFIX = 16
/** Which canaries are in these bytes. All of them at a time: there are thousands. */
function found(bytes: Buffer): string[] {
  const byPrefix = new Map<string, (readonly [where: string, coded: string])[]>()
  for (const [where, secret] of canaries)
    for (const coded of codings(secret)) {
      const prefix = coded.slice(0, PREFIX)
      byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), [where, coded]])
    }
  const seen = new Set<string>()
  for (const [run] of bytes.toString("latin1").matchAll(/[\w.%+/=~-]{16,}/g))
    for (let at = 0; at + PREFIX <= run.length; at++)
      for (const [where, coded] of byPrefix.get(run.slice(at, at + PREFIX)) ?? [])
        if (run.startsWith(coded, at)) seen.add(where)
  return [...seen]
}

test("K01 a verifier's spool, and what lies beside it, holds no credential that was shown there", async () => {
  const api = await startGuardedApi()
  onTestFinished(() => api.close())
  // What is not shipped stays to be looked at.
  api.stub.setDown(true)
  const token = api.stub.mint()
  canaries.set("verifier: token", token)
  canaries.set("verifier: token's signature", token.split(".")[2] ?? "missing")
  canaries.set("verifier: key", API_PRIVATE_JWK.d ?? "missing")
  const statuses = [(await api.get("/tickets/SUP-1042", token)).status]
  for (const scheme of ["Bearer", "DPoP", "Basic"]) {
    const at = `verifier: ${scheme}`
    const headers = {
      authorization: `${scheme} ${canary(at)}`,
      dpop: canary(`${at} proof`),
      cookie: `session=${canary(`${at} cookie`)}`,
    }
    const query = `access_token=${canary(`${at} query`)}`
    statuses.push((await fetch(`${api.address}/tickets/SUP-1042?${query}`, { headers })).status)
    const forged = `${token.slice(0, token.lastIndexOf(".") + 1)}${canary(`${at} signature`, "key")}`
    statuses.push((await api.get("/tickets/SUP-1042", forged, { dpop: canary(`${at} other proof`) })).status)
  }
  expect(statuses).toEqual([200, 400, 401, 400, 401, 400, 401])
  const kept = readdirSync(api.folder).map((name) => [name, readFileSync(join(api.folder, name))] as const)
  expect(kept.map(([name]) => name)).toContain("uses.db")
  expect(kept.some(([, bytes]) => bytes.includes("SUP-1042"))).toBe(true)
  for (const [name, bytes] of kept) expect(found(bytes), name).toEqual([])
})

test("K24 a backup holds none of it either: no token that could be used, no key that opens", async () => {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-backup-"))
  try {
    const to = join(folder, "copy.db")
    // A server is copied by its own tools, row by row.
    if (!onPostgres) await copyDatabase({ from: house.database, to })
    const copied = onPostgres ? await everythingAt(house.database) : [["copy.db", readFileSync(to)] as const]
    for (const [name, bytes] of copied) expect(found(bytes), name).toEqual([])
    expect(
      copied.some(([, bytes]) => bytes.includes(START.purpose)),
      "it is a copy",
    ).toBe(true)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test("K01 the search itself finds what is there", () => {
  const [[, secret = ""] = []] = [...canaries]
  const base64 = Buffer.from(secret).toString("base64")
  for (const text of [secret, base64, Buffer.from(secret).toString("hex")])
    expect(found(Buffer.from(`before ${text} after`)), text).toHaveLength(1)
  expect(found(Buffer.from(`before ${secret.slice(1)} after`))).toHaveLength(0)
})
