// The subject: an issuer on a fresh SQLite file, one task type with one API and one that agents renew, a service token that is reused. With a folder
// and the address of a PostgreSQL database (empty: the folder's file) as its arguments it is one of several, or the same
// again: the first makes their policy and keys. A third argument is when time began to run faster, and how fast.
import { createPrivateKey, randomBytes } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { SignJWT } from "jose"
import { createIssuer } from "../../src/issuer/issuer.ts"
import { systemClock, toEpochSeconds } from "../../src/time.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createFastClock } from "../fast-clock.ts"
import { announce } from "./listen.ts"

const ISSUER = "http://127.0.0.1:1"
const [folder = mkdtempSync(join(tmpdir(), "bench-taskmint-")), address = "", pace] = process.argv.slice(2)
const clock = pace === undefined ? systemClock : createFastClock(pace)
const policies = join(folder, "policies")
const { jwk, apiJwk, operatorJwk, secret } = keysOf(join(folder, "keys.json"))
const key = importSigningKey(jwk)

function keysOf(path: string) {
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8"))
  const [jwk, apiJwk, operatorJwk] = [1, 2, 3].map(() => generatePrivateJwk("ES256"))
  const keys = { jwk, apiJwk, operatorJwk, secret: randomBytes(32).toString("base64") }
  writeFileSync(path, JSON.stringify(keys), { mode: 0o600 })
  return keys
}

const inline = (publicJwk: object) => JSON.stringify({ keys: [publicJwk] })
const resource = "https://tickets.internal.example"

/** `more`: what it has beside what all have. */
const taskType = (name: string, more = "") => `
  ${name}: {
    orchestrators: [support-orchestrator], agents: [triage-bot], deadline: 2h,
    inputs: { ticket: { pattern: "[A-Z]{2,5}-[0-9]{1,9}" } },
    grants: [
      { api: tickets, operations: [tickets:read, tickets:comment], resources: ["tickets/{ticket}"] }
    ],
    limits: { active_tasks: 1000000, starts_per_hour: 1000000 }${more && `, ${more}`} }`

const POLICY = `version: 1
apis:
  tickets:
    resource: ${resource}
    owner: bench@example.com
    authenticate: [{ private_key_jwt: { jwks: ${inline(importSigningKey(apiJwk).publicJwk)} } }]
    operations: { tickets:read: { risk: low }, tickets:comment: { risk: moderate } }
agents: { triage-bot: { owner: bench@example.com } }
staff:
  operations:
    roles: [operator, auditor]
    authenticate: [{ private_key_jwt: { jwks: ${inline(importSigningKey(operatorJwk).publicJwk)} } }]
orchestrators:
  support-orchestrator:
    owner: bench@example.com
    authenticate: [{ private_key_jwt: { jwks: ${inline(key.publicJwk)} } }]
tasks:
${taskType("triage-ticket")}${taskType("serve-ticket", "token_lifetime: 30m")}${taskType("follow-ticket", "token_lifetime: 5m, renew: agent")}`

mkdirSync(policies, { recursive: true })
writeFileSync(join(policies, "bench.yaml"), POLICY, { mode: 0o644 })

const issuer = await createIssuer({
  issuer: ISSUER,
  database: address === "" ? join(folder, "issuer.db") : address,
  clock,
  policies,
  keyEncryptionKey: Buffer.from(secret, "base64"),
  onFault: (error) => console.error(error),
})

async function serviceToken(): Promise<string> {
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: "ES256", typ: "client-authentication+jwt", kid: key.kid })
    .setIssuer("support-orchestrator")
    .setSubject("support-orchestrator")
    .setAudience(ISSUER)
    .setJti(randomBytes(16).toString("hex"))
    .setIssuedAt(toEpochSeconds(clock.now()))
    .setExpirationTime(toEpochSeconds(clock.now()) + 60)
    .sign(createPrivateKey({ key: { ...jwk }, format: "jwk" }))
  const answer = await issuer.fetch(
    new Request(`${ISSUER}/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: assertion,
      }),
    }),
  )
  const body: unknown = await answer.json()
  if (typeof body === "object" && body && "access_token" in body) return String(body.access_token)
  throw new Error(`no service token: ${JSON.stringify(body)}`)
}

const authorization = `Bearer ${await serviceToken()}`
announce(createServer(getRequestListener(issuer.fetch)), (origin) => ({
  url: `${origin}/tasks`,
  method: "POST",
  headers: { "content-type": "application/json", authorization },
  body: JSON.stringify({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-7f3c" },
    purpose: "Triage the ticket",
    inputs: { ticket: "SUP-1042" },
  }),
  given: { issuer: ISSUER, issuerAddress: origin, resource, apiJwk, operatorJwk, orchestratorJwk: jwk },
}))
