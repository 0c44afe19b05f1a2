// What verifiers tell that can't be so, or comes when it can't: it is written down as it was told, beside what the issuer
// itself knows, so that whoever reads the ledger sees both. No genuine report is left out because it does not fit.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { EntryFilter } from "../../src/ledger/search.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { parseInstant, toInstant } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createReporter, type Reporter } from "../support/batch-reporter.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
let reporter: Reporter
let task: { id: string; jti: string }
beforeEach(async () => {
  world = await createWorld()
  reporter = createReporter(world)
  task = await startTask()
})
afterEach(async () => {
  await world.leave()
})

async function startTask(): Promise<{ id: string; jti: string }> {
  const started = await world.tasks.start("support-orchestrator", SUPPORT_START)
  if (started instanceof Refusal) throw new Error(started.reason)
  const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
  return { id: started.taskId, jti: "token" in opened ? opened.token.jti : "" }
}

const found = async (filter: EntryFilter) => (await world.ledger.read({ limit: 1000, ...filter })).entries

async function verified(): Promise<string> {
  await world.sequence.advance()
  return (await verifyLedger({ source: await databaseSource(world.engine) })).verdict
}

const HOUR = 3_600_000

describe("H15: a use is told", () => {
  test("of a token that no entry issued: it stands there, against the task that it names, and no issue beside it", async () => {
    const jti = newId("tok", world.clock.now())
    await reporter.report({ task: task.id, jti })
    const uses = await found({ task: task.id, kind: "use.allowed" })
    expect(uses).toMatchObject([{ jti, outcome: "allowed", task_id: task.id }])
    const issued = await found({ task: task.id, kind: "token.issued" })
    expect(issued.map((entry) => entry.jti)).toEqual([task.jti])
    expect(await verified()).toBe("verified")
  })

  test("of a task and a token that nobody knows: both stand in what is hashed", async () => {
    const [other, jti] = [newId("task", world.clock.now()), newId("tok", world.clock.now())]
    await reporter.report({ task: other, jti })
    expect(await found({ kind: "use.allowed" })).toMatchObject([{ task_id: other, jti }])
    expect(await verified()).toBe("verified")
  })

  test("of a token of another task: neither task is given the other's use in silence", async () => {
    const second = await startTask()
    await reporter.report({ task: task.id, jti: second.jti })
    const [entry, ...more] = await found({ kind: "use.allowed" })
    expect([entry?.task_id, entry?.jti, more]).toEqual([task.id, second.jti, []])
    expect(await verified()).toBe("verified")
  })

  test.each([
    ["after it ran out", async () => void world.clock.advance(HOUR)],
    [
      "after it was revoked",
      async () => {
        const order = { kind: "token", value: task.jti, reason: "leaked" } as const
        const revoked = await world.revocations.revoke("operations-team", order)
        if (revoked instanceof Refusal) throw new Error(revoked.reason)
        world.clock.advance(60_000)
      },
    ],
    [
      "after its task was canceled",
      async () => {
        await world.tasks.change("support-orchestrator", task.id, "cancel", "leaked")
        world.clock.advance(60_000)
      },
    ],
  ])("%s: with the time that the verifier says, after the entry that ended it", async (_when, end) => {
    await end()
    const served = toInstant(world.clock.now())
    await reporter.report({ task: task.id, jti: task.jti })
    const all = await found({ task: task.id })
    const last = all.findLast(({ kind }) => kind === "use.allowed")
    expect(last).toMatchObject({ jti: task.jti, body: { served_at: served } })
    const issued = all.find(({ kind }) => kind === "token.issued")
    expect(
      (parseInstant(last?.at ?? "") ?? 0) - (parseInstant(issued?.at ?? "") ?? 0),
    ).toBeGreaterThanOrEqual(60_000)
    expect(await verified()).toBe("verified")
  })

  test("for another API than the one that tells: refused, and nothing is written as that API's use", async () => {
    const strange = { task: task.id, jti: task.jti, api: "https://deployments.internal.example" }
    await expect(reporter.report(strange)).rejects.toThrow("batch_invalid: [api]")
    expect(await found({ kind: "use.allowed" })).toEqual([])
  })
})

test.each([
  ["an hour ago", -HOUR],
  ["before the last one", -1000],
  ["in an hour", HOUR],
])("H20: a use that says it was %s is neither moved nor believed", async (_when, by) => {
  await reporter.report({ task: task.id, jti: task.jti })
  const served = toInstant(world.clock.now() + by)
  await reporter.report({ task: task.id, jti: task.jti, at: served })
  const uses = await found({ task: task.id, kind: "use.allowed" })
  expect(uses.at(-1)).toMatchObject({ at: toInstant(world.clock.now()), body: { served_at: served } })
  const times = (await found({})).map(({ at }) => parseInstant(at) ?? 0)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(await verified()).toBe("verified")
})
