// What is not erased yet, for it is still needed, by whatever happens while it is looked at.
import { afterEach, beforeEach, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { createErasures } from "../../src/task/erase.ts"
import { mustBe } from "../support/approvals.ts"
import {
  BYSTANDERS,
  CANARIES,
  createCanaryWorld,
  OTTO,
  play,
  restingIn,
  startVisit,
  VERA,
  type Visit,
} from "../support/canary-world.ts"
import { engineBefore } from "../support/crew-world.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
const BY = { by: "people/lin@example.com", as: "operations-team", reason: "They asked for it" }
const AN_HOUR = 3_600_000
const blocked = { code: "erasure_blocked" }
let world: World
let visits: { readonly vera: Visit; readonly second: Visit; readonly otto: Visit }

beforeEach(async () => {
  world = await createCanaryWorld(newFolder())
  visits = await play(world)
})
afterEach(async () => {
  await world.leave()
})

const keysOfRefusals = statement<{ keys: number }>(
  "test.keys",
  sql`SELECT count(b.key) AS keys FROM entry e JOIN entry_bytes b ON b.seq = e.seq JOIN name n ON n.id = e.kind
    WHERE n.text = 'task.refused'`,
)
const erasures = () => createErasures(world)
const resting = (texts: readonly string[]) => restingIn(world, texts)

/** Before whose first commit with that statement something happens once. */
const erasuresBefore = (name: string, act: () => Promise<unknown>) =>
  createErasures({ ...world, engine: engineBefore(world, act, name) })

test("a task that runs, and so its person", async () => {
  expect(await erasures().task(BY, visits.otto.task)).toMatchObject(blocked)
  expect(await erasures().subject(BY, OTTO)).toMatchObject(blocked)
  expect(await resting(BYSTANDERS)).toEqual(BYSTANDERS)
})

test("a person whose revoked tokens could still be told of", async () => {
  expect(await erasures().subject(BY, VERA)).toMatchObject(blocked)
  expect(await resting(CANARIES)).toEqual([...CANARIES])
  const { items } = await world.revocations.feed("tickets", 0, 100)
  const { until = 0 } = items.find(({ kind }) => kind === "subject") ?? {}
  // A minute longer than the tokens live by our clock: verifiers have clocks of their own.
  world.clock.advance((until + 60) * 1000 - 1 - world.clock.now())
  expect(await erasures().subject(BY, VERA)).toMatchObject(blocked)
  world.clock.advance(1)
  expect(await erasures().subject(BY, VERA)).toMatchObject({ tasks: 2 })
})

test("a person of whom a task starts before the last commit", async () => {
  world.clock.advance(AN_HOUR)
  const late = erasuresBefore("erase.subject", () => startVisit(world, VERA, "SUP-7", "again"))
  expect(await late.subject(BY, VERA)).toMatchObject(blocked)
  expect(await resting(["vera.canary"])).toEqual(["vera.canary"])
})

test("nor left where something tells of them before the last commit: that goes too", async () => {
  world.clock.advance(AN_HOUR)
  const tell = () =>
    world.ledger.append([{ kind: "task.refused", at: world.ledger.at(), sub: VERA, outcome: "refused" }])
  mustBe(await erasuresBefore("erase.subject", tell).subject(BY, VERA))
  expect(await resting(["vera.canary"])).toEqual([])
  expect(await world.engine.query(keysOfRefusals)).toEqual([{ keys: 0 }])
})

test("a person whom a lock names", async () => {
  const asked = { kind: "subject", value: VERA, reason: "canary-order" } as const
  const lock = mustBe(await world.revocations.revoke("operations-team", asked))
  world.clock.advance(AN_HOUR)
  expect(await erasures().subject(BY, VERA)).toMatchObject(blocked)
  await world.revocations.lift("operations-team", lock.id)
  expect(await erasures().subject(BY, VERA)).toMatchObject({ tasks: 2 })
})

test("nor is an orchestrator, or with a reason that names the person", async () => {
  expect(await erasures().subject(BY, "support-orchestrator")).toMatchObject({ code: "invalid_request" })
  expect(await erasures().subject({ ...BY, reason: `${VERA} asked` }, VERA)).toMatchObject({
    code: "invalid_request",
  })
  expect(await erasures().task(BY, "task_00000000-0000-7000-8000-000000000000")).toMatchObject({
    code: "not_found",
  })
})
