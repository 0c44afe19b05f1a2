// When no canary is minted: where nobody of ours would tell of its use, where somebody could serve it, and where a lock stands.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { must } from "../support/crew-world.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const BY = "operations-team"
const mint = (more: object = {}) =>
  world.canaries.mint(BY, { ...SUPPORT_START, reason: "beside the backups", ...more })
const count = async () => (await world.ledger.read({ kind: "canary.issued" })).entries.length
async function takeForce(from: string, to: string): Promise<void> {
  const path = join(world.policyFolder, "support.yaml")
  const text = readFileSync(path, "utf8")
  expect(text).toContain(from)
  writeFileSync(path, text.replace(from, to))
  expect(await world.policies.reload()).toBe("loaded")
}

test.each([
  ["the first that there is", {}, "/type"],
  ["named", { api: "tickets" }, "/api"],
])("an API whose verifiers are not ours gets none: %s", async (_how, more, pointer) => {
  await takeForce("    operations:\n", "    foreign: true\n    operations:\n")
  expect(await mint(more)).toMatchObject({ code: "invalid_request", errors: [{ pointer }] })
  expect(await count()).toBe(0)
})

test("one that has not run out names an operation that no policy has", async () => {
  await takeForce("    operations:\n", "    operations:\n      tickets:canary: { risk: low }\n")
  const none = await mint({ live: true })
  expect(none).toMatchObject({ code: "invalid_request", errors: [{ pointer: "/api" }] })
  must(await mint())
  expect(await count()).toBe(1)
})

test("one that its own API asks about is an alarm", async () => {
  const { accessToken, jti } = must(await mint())
  const asker = { clientId: "tickets", kind: "api" } as const
  expect(await world.introspections.introspect(asker, accessToken)).toMatchObject({ active: false })
  const alarms = async () => (await world.ledger.read({ kind: "alarm.raised" })).entries
  await expect
    .poll(alarms)
    .toMatchObject([{ jti, code: "canary_used", body: { shown_at: "introspection", by: "tickets" } }])
})

test.each([
  ["agent", "triage-bot"],
  ["instance", "triage-bot/pod-1"],
  ["orchestrator", "support-orchestrator"],
  ["api", "tickets"],
] as const)("under a lock of its %s none is minted, as no task would start", async (kind, value) => {
  must(await world.revocations.revoke(BY, { kind, value, reason: "leak" }))
  expect(await mint()).toMatchObject({ code: "locked" })
  expect(await count()).toBe(0)
})
