// Erasing: no value of the person rests anywhere any more, byte for byte where the files are ours, and the ledger is as
// whole as before; also when it is killed in the middle, and of what is reported later.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Engine, Unavailable } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { Refusal } from "../../src/errors.ts"
import { createSessions } from "../../src/issuer/console/sessions.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { caller as callerOf } from "../../src/policy/callers.ts"
import { createErasures, type Erased } from "../../src/task/erase.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { mustBe } from "../support/approvals.ts"
import {
  BYSTANDERS,
  CANARIES,
  createCanaryWorld,
  OTTO,
  play,
  reportUse,
  restingIn,
  signedTexts,
  startVisit,
  VERA,
  type Visit,
} from "../support/canary-world.ts"
import { onPostgres } from "../support/engine.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
const BY = { by: "people/lin@example.com", as: "operations-team", reason: "They asked for it" }
const AN_HOUR = 3_600_000
let world: World
let visits: { readonly vera: Visit; readonly second: Visit; readonly otto: Visit }

beforeEach(async () => {
  world = await createCanaryWorld(newFolder())
  visits = await play(world)
})
afterEach(async () => {
  await world.leave()
})

const erasures = () => createErasures(world)
const verify = async () => {
  await world.sequence.advance()
  return verifyLedger({ source: await databaseSource(world.engine) })
}
const resting = (texts: readonly string[]) => restingIn(world, texts)
/** Whether what verifiers signed names one of these. */
const signedNames = async (texts: readonly string[]) => {
  const all = await signedTexts(world)
  return texts.some((text) => all.some((one) => one.includes(text)))
}
async function signInToConsole(person: string, group: string) {
  const entry = callerOf(world.policies.inForce(), "audit-team")
  if (!entry) throw new Error("the policy has no audit-team")
  const identity = { provider: "people", issuer: "https://login.example.com", claims: { groups: [group] } }
  const now = toEpochSeconds(world.clock.now())
  const how = { by: "openid", provider: "people" }
  const sessions = createSessions(world)
  expect(await sessions.begin({ person, identity, entries: [entry], signedInAt: now, how })).toHaveLength(43)
}

const erasedEntries = async () => (await world.ledger.read({ kind: "ledger.erased" })).entries

describe("a person who is erased", () => {
  test("H13: is nowhere any more, in no table and no file, with every task of theirs; others are", async () => {
    expect(await resting(CANARIES)).toEqual([...CANARIES])
    expect(await signedNames(CANARIES)).toBe(true)
    world.clock.advance(AN_HOUR)
    await signInToConsole(VERA, "canary-group")
    await signInToConsole(OTTO, "bystander-group")
    const erased = mustBe(await erasures().subject(BY, VERA))
    expect(await signedNames(CANARIES)).toBe(false)
    expect(erased).toMatchObject({ tasks: 2, fromFiles: !onPostgres })
    expect(erased.entries).toBeGreaterThan(10)
    expect(await resting([...CANARIES, "canary-group"])).toEqual([])
    expect(await resting([...BYSTANDERS, "bystander-group"])).toEqual([...BYSTANDERS, "bystander-group"])
  })

  test("H13: leaves every hash, proof and checkpoint as it was, and verify counts what is gone", async () => {
    const before = await verify()
    world.clock.advance(AN_HOUR)
    mustBe(await erasures().subject(BY, VERA))
    const after = await verify()
    expect(after).toMatchObject({
      verdict: "verified",
      erased: { purpose: 2, inputs: 2, parameters: expect.any(Number), sub: expect.any(Number) },
    })
    expect(before).toMatchObject({ verdict: "verified", erased: {} })
    const earlier = (await world.sequence.newest())?.note
    expect(await verifyLedger({ source: await databaseSource(world.engine), earlier })).toMatchObject({
      verdict: "verified",
    })
  })

  test("is told of by entries that say who, why and what, without the value", async () => {
    world.clock.advance(AN_HOUR)
    mustBe(await erasures().subject(BY, VERA))
    const [first, second, last] = await erasedEntries()
    const told = { of: "subject", by: BY.by, as: BY.as, reason: BY.reason }
    expect([first?.task_id, second?.task_id]).toEqual([visits.vera.task, visits.second.task])
    expect([first, last]).toMatchObject([{ body: told }, { body: { ...told, tasks: 2 } }])
    expect(last).not.toHaveProperty("sub")
  })

  test("can be erased again, which changes nothing and says so", async () => {
    world.clock.advance(AN_HOUR)
    mustBe(await erasures().subject(BY, VERA))
    const entries = (await erasedEntries()).length
    expect(await erasures().subject(BY, VERA)).toMatchObject({ tasks: 0, entries: 0 })
    expect(await erasures().task(BY, visits.vera.task)).toMatchObject({ tasks: 0, entries: 0 })
    expect(await erasedEntries()).toHaveLength(entries)
  })

  test("killed after any commit: the ledger is whole, and the same order does the rest", async () => {
    world.clock.advance(AN_HOUR)
    let done: Erased | Refusal | undefined
    let times = 0
    for (; done === undefined; times++) {
      done = await createErasures({ ...world, engine: dyingAfter(world.engine, 1) })
        .subject(BY, VERA)
        .catch((error: unknown) => {
          if (error instanceof Unavailable) return undefined
          throw error
        })
      expect(await verifyLedger({ source: await databaseSource(world.engine) })).toMatchObject({
        verdict: "verified",
      })
    }
    expect(times).toBeGreaterThan(3)
    expect(done).not.toBeInstanceOf(Refusal)
    expect(await resting(CANARIES)).toEqual([])
  })

  test("and comes back is somebody new, also for a process that knew them", async () => {
    const others = createNames(world.engine)
    await others.subjects.ensure([VERA])
    expect(others.subjects.idOf(VERA)).toBeUndefined()
    world.clock.advance(AN_HOUR)
    mustBe(await erasures().subject(BY, VERA))
    const again = await startVisit(world, VERA, "SUP-7", "again")
    expect(await world.tasks.show({ clientId: "audit-team", staff: true }, again.task)).toMatchObject({
      sub: VERA,
    })
    expect((await world.ledger.read({ sub: VERA })).entries.map(({ task_id }) => task_id)).toEqual([
      again.task,
      again.task,
    ])
    expect(await verify()).toMatchObject({ verdict: "verified" })
  })
})

/** An engine of a process that dies after so many commits. */
function dyingAfter(engine: Engine, commits: number): Engine {
  let left = commits
  return {
    query: (statement, values) => engine.query(statement, values),
    hearOthers: (listener) => engine.hearOthers(listener),
    scrub: () => engine.scrub(),
    close: () => engine.close(),
    broken: engine.broken,
    async atomically(steps) {
      if (left === 0) throw new Unavailable("killed")
      left -= 1
      await engine.atomically(steps)
    },
  }
}

test("H13: a person whom only words name, in a query and in the reason of an order, is in none of them any more", async () => {
  const NINA = "people/nina.canary@example.com"
  const order = { kind: "agent", value: "summarizer", reason: `${NINA} saw it` } as const
  const { id } = mustBe(await world.revocations.revoke("operations-team", order))
  const read = { report: "entries", parameters: { sub: NINA } }
  await world.ledger.append([
    { kind: "access.read", at: world.ledger.at(), body: { by: "audit-team", ...read } },
  ])
  world.clock.advance(AN_HOUR)
  const erase = async () => mustBe(await erasures().subject(BY, NINA))
  expect(await erase()).toMatchObject({ tasks: 0, entries: 3 })
  expect(await resting(["nina.canary"])).toEqual([])
  expect(mustBe(await world.revocations.show(id)).reason).toBeUndefined()
  expect((await world.ledger.read({ kind: "ledger.erased" })).entries.map(({ body }) => body)).toMatchObject([
    { of: "subject", by: BY.by, as: BY.as, tasks: 0 },
  ])
  expect(await erase()).toMatchObject({ tasks: 0, entries: 0 })
  expect((await world.ledger.read({ kind: "ledger.erased" })).entries).toHaveLength(1)
  expect(await verify()).toMatchObject({ verdict: "verified" })
})

describe("a task that is erased alone", () => {
  test("loses its values, its person too; their other tasks keep theirs", async () => {
    const erased = mustBe(await erasures().task(BY, visits.vera.task))
    expect(erased.tasks).toBe(1)
    const viewer = { clientId: "audit-team", staff: true }
    expect(await world.tasks.show(viewer, visits.vera.task)).toMatchObject({
      sub: "",
      reference: undefined,
      grants: [{ operations: ["tickets:read"], resources: [] }],
      lineage: [{ grants: [{ resources: [] }] }],
    })
    expect(await world.tasks.show(viewer, visits.second.task)).toMatchObject({
      sub: VERA,
      reference: "canary-second-reference",
    })
    expect(await resting(["canary-ask", "canary-parameter", "canary-cancel"])).toEqual([])
    expect(await verify()).toMatchObject({ verdict: "verified" })
  })

  test("keeps no value of what is reported or asked of it later", async () => {
    mustBe(await erasures().task(BY, visits.vera.task))
    await reportUse(world, { ...visits.vera, ticket: "LATECANARY-1" })
    await world.tasks.change("support-orchestrator", visits.vera.task, "complete")
    const { entries } = await world.ledger.read({ task: visits.vera.task, limit: 1000 })
    expect(entries.filter(({ kind }) => kind === "use.allowed").at(-1)).toMatchObject({
      resource: { hmac: expect.any(String) },
    })
    expect(await resting(["LATECANARY"])).toEqual([])
    expect(await verify()).toMatchObject({ verdict: "verified" })
  })
})
