// An agent whose call needs a person, against a real issuer and a guarded API: it asks, somebody decides, and the call is made
// once or not at all.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createSession, createSessionKey } from "../../src/client/client.ts"
import type { Session } from "../../src/client/session.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { approvalTexts } from "../support/approvals.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })

const privateJwk = generatePrivateJwk("ES256")
const jwks = JSON.stringify({ keys: [importSigningKey(privateJwk).publicJwk] })

let town: Town
let session: Session

const approval = () => ({
  operation: "tickets:close",
  resource: "tickets/SUP-1042",
  reason: "It is solved",
})
const REQUEST = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "a test",
  inputs: { ticket: "SUP-1042" },
} as const

beforeEach(async () => {
  town = await buildTown({
    dev: true,
    prepare(policies) {
      for (const [name, text] of Object.entries(approvalTexts(policies)))
        writeFileSync(join(policies, name), text)
      const file = join(policies, "support.yaml")
      const authenticate = `    authenticate: [{ private_key_jwt: { jwks: ${jwks} } }]\n`
      const text = readFileSync(file, "utf8")
      writeFileSync(file, text.replace("  triage-bot:\n", `  triage-bot:\n${authenticate}`))
    },
  })
  const key = createSessionKey()
  const task = await town.orchestrator().start({ ...REQUEST, dpopJkt: key.thumbprint })
  const renew = async (resource: string) => {
    await task.renew({ resource })
    return task.handover().tokens
  }
  session = await createSession({ ...task.handover(), key, renew, approval })
})
afterEach(async () => {
  await session.close()
  await town.close()
})

const close = () => session.fetch(`${town.tickets}/tickets/SUP-1042/close`, { method: "POST" })

/** The one open question, and what a person says to it. */
async function decide(decision: "grant" | "deny"): Promise<Record<string, unknown>> {
  const id = await vi.waitFor(async () => {
    const listed = await town.ask("operations-team", "GET", "/approvals?state=requested")
    const [one] = Array.isArray(listed.approvals) ? listed.approvals : []
    expect(one).toMatchObject({ operation: "tickets:close", requested_by: "triage-bot/pod-1" })
    return String(one.id)
  }, 10_000)
  return town.ask("operations-team", "POST", `/approvals/${id}`, { decision })
}

test("granted: the call is made with a token of its own, and the next one is asked anew", async () => {
  const call = close()
  expect(await decide("grant")).toMatchObject({ state: "granted" })
  expect((await call).status).toBe(200)
  expect(town.served.at(-1)).toMatchObject({ operation: "tickets:close", agent: "triage-bot" })
  const again = close()
  await decide("deny")
  await expect(again).rejects.toMatchObject({ code: "approval_denied", next: "stop" })
  expect(town.served.filter((use) => use.operation === "tickets:close")).toHaveLength(1)
})

test("an agent with a credential asks and collects by it: no token rested anywhere on the way to it", async () => {
  const task = await town.orchestrator().start({ ...REQUEST, deliver: "agent" })
  await session.close()
  const credential = { clientId: "triage-bot", privateJwk }
  session = await createSession({ issuer: town.issuerUrl, task: task.id, credential, approval })
  const call = close()
  expect(await decide("grant")).toMatchObject({ state: "granted", task_id: task.id })
  expect((await call).status).toBe(200)
  expect(town.served.at(-1)).toMatchObject({ operation: "tickets:close", task: task.id })
})
