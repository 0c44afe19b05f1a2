// The commands of an auditor who has no key, but its platform's JWT for the issuer: the service token is bound to a key of the
// process then, and every request of it carries a proof.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { runCli } from "../support/command-line.ts"
import { foreignJwt, foreignSigner } from "../support/foreign-issuer.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const CLUSTER = "https://kubernetes.default.svc.cluster.local"
const SUBJECT = "system:serviceaccount:audit:cron"
const signer = foreignSigner("cluster-1", "ES256")
const rules = {
  version: 1,
  identity_providers: { cluster: { issuer: CLUSTER, jwks: { keys: [signer.jwk] } } },
  staff: {
    "cron-audit": {
      roles: ["auditor"],
      authenticate: [{ workload: { provider: "cluster", subject: SUBJECT } }],
    },
  },
}

let town: Town
let vkey: string
const at = (name: string) => join(town.folder, name)

beforeAll(async () => {
  // JSON is YAML.
  const prepare = (policies: string) => writeFileSync(join(policies, "cron.yaml"), JSON.stringify(rules))
  town = await buildTown({ prepare })
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: CLUSTER, sub: SUBJECT, aud: town.issuerUrl, iat: now, nbf: now, exp: now + 600 }
  writeFileSync(at("service-account.jwt"), foreignJwt(signer, claims))
  await town.orchestrator().start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Be read about",
    inputs: { ticket: "SUP-1" },
  })
  const metadata = await fetch(`${town.issuerUrl}/.well-known/oauth-authorization-server`)
  vkey = String(((await metadata.json()) as Record<string, unknown>).ledger_key)
})
afterAll(() => town.close())

test.each<[string, () => readonly string[]]>([
  ["query", () => ["--limit", "2"]],
  ["export", () => ["--to", at("entries.ndjson")]],
  ["verify", () => ["--served", "--key", vkey]],
  ["follow", () => ["--once", "--to", at("copy.db"), "--key", vkey]],
])("`ledger %s` asks with a platform's JWT", async (command, options) => {
  const { code, stderr } = await runCli(["ledger", command, ...options()], {
    env: {
      TASKMINT_ISSUER: town.issuerUrl,
      TASKMINT_CLIENT_ID: "cron-audit",
      TASKMINT_CLIENT_ASSERTION_FILE: at("service-account.jwt"),
    },
  })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  if (command === "export") expect(readFileSync(at("entries.ndjson"), "utf8")).toContain('"task.started"')
})
