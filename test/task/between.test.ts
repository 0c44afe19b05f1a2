// What another issuer commits between a decision and its commit: the decision holds for what is there then, or is made again.

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, test } from "vitest"
import { createApprovals } from "../../src/task/approvals.ts"
import { createErasures } from "../../src/task/erase.ts"
import { createTasks } from "../../src/task/task.ts"
import { createUses } from "../../src/task/use.ts"
import { createVerifiers } from "../../src/task/verifiers.ts"
import { newId } from "../../src/token/id.ts"
import { approvalDesk, createApprovalWorld, LEAD, ORCHESTRATOR, question } from "../support/approvals.ts"
import { createReporter, useOf } from "../support/batch-reporter.ts"
import { createReporter as createChain } from "../support/chain-reporter.ts"
import { engineBefore, limitTasks, openCrewWorld, startHand } from "../support/crew-world.ts"
import { createFolders } from "../support/folder.ts"
import { createWorld, SUPPORT_START, type World, writePolicies } from "../support/world.ts"

const newFolder = createFolders()
let world: World
afterEach(async () => {
  await world.leave()
})

/** What a part of the world is made with, so that something happens before it commits. */
const when = (act: () => Promise<unknown>) => ({ ...world, engine: engineBefore(world, act) })

test("a refusal that another policy has taken back by then is none", async () => {
  const folder = newFolder()
  const policies = join(folder, "policies")
  writePolicies(policies)
  const file = join(policies, "support.yaml")
  const text = readFileSync(file, "utf8")
  writeFileSync(file, text.replace("agents: [triage-bot]", "agents: [summarizer]"))
  world = await createWorld({ folder })
  const tasks = createTasks(
    when(async () => {
      writeFileSync(file, text)
      expect(await world.policies.reload()).toBe("loaded")
    }),
  )
  expect(await tasks.start("support-orchestrator", SUPPORT_START)).toMatchObject({ state: "active" })
  expect((await world.ledger.read({ kind: "task.refused" })).entries).toEqual([])
})

test("of two reports of a task's last uses one tells its verifier that they are too many", async () => {
  world = await openCrewWorld()
  await limitTasks(world, "uses: 2")
  const { taskId } = await startHand(world)
  const read = () => useOf(taskId, "tickets:read", { id: newId("use", world.clock.now()) })
  const [first, second] = [read(), read()]
  const uses = createUses(when(() => createReporter(world).report(read())))
  const { beyond } = await createReporter({ ...world, uses }).report(first, second)
  expect([...(beyond ?? [])]).toEqual([[second.id, "task_paused"]])
})

test("batches that were missed and come at the same moment leave nothing missing", async () => {
  world = await createWorld()
  const site = { ...world }
  const chain = createChain(site)
  await chain.bring(chain.next())
  const [one, other] = [chain.next(), chain.next()]
  await chain.bring(chain.next())
  site.uses = createUses(when(() => chain.bring(one)))
  expect(await chain.bring(other)).toEqual({ acknowledged: 4 })
  const [seen] = await world.verifiers.list()
  expect(seen).toMatchObject({ state: "reporting", missing: [] })
})

test("an instance that reports while it is written off is not", async () => {
  world = await createWorld()
  const chain = createChain(world)
  await chain.bring(chain.next())
  world.clock.advance(600_000)
  const verifiers = createVerifiers(when(() => chain.bring(chain.next())))
  expect(await verifiers.forget("operations", chain.instance, "gone")).toMatchObject({
    code: "verifier_active",
  })
  expect((await world.verifiers.list())[0]).toMatchObject({ state: "reporting", closed: false })
})

describe("a question", () => {
  const { start, ask } = approvalDesk(() => world)

  test("beyond as many as may be open is not asked, however many are asked at once", async () => {
    world = await createApprovalWorld(newFolder())
    const { taskId } = await start()
    const asked = await Promise.all(
      Array.from({ length: 25 }, (_, at) =>
        world.approvals.request(ORCHESTRATOR, question(taskId, { parameters: { at } })),
      ),
    )
    expect(asked.filter((one) => "approval" in one)).toHaveLength(20)
  })

  test.each([
    ["deny", "grant"],
    ["grant", "deny"],
  ] as const)(
    "is answered by the first of two people who decide at the same moment: %s",
    async (first, then) => {
      world = await createApprovalWorld(newFolder())
      const { taskId } = await start()
      const { approvalId } = (await ask(taskId)).approval
      const approvals = createApprovals(when(() => world.approvals.decide(LEAD, approvalId, first)))
      const other = { ...LEAD, person: "people/kim@example.com" }
      expect(await approvals.decide(other, approvalId, then)).toMatchObject({ code: "approval_decided" })
    },
  )
})

describe("a person is not erased past", () => {
  const ANA = "people/ana@example.com"
  const BY = { by: "people/lin@example.com", as: "operations-team", reason: "asked for" }

  test("an entry that comes at the last moment", async () => {
    world = await createWorld()
    await world.engine.atomically(world.names.subjects.steps([ANA]))
    const refused = { kind: "task.refused", at: world.ledger.at(), sub: ANA, outcome: "refused" } as const
    const erased = await createErasures(when(() => world.ledger.append([refused]))).subject(BY, ANA)
    expect(erased).toMatchObject({ entries: 1 })
    const [entry] = (await world.ledger.read({ kind: "task.refused" })).entries
    expect(entry?.sub).toEqual({ hmac: expect.any(String) })
  })

  test("a lock that names them by then", async () => {
    world = await createWorld()
    await world.engine.atomically(world.names.subjects.steps([ANA]))
    const order = { kind: "subject", value: ANA, reason: "left" } as const
    const erasures = createErasures(when(() => world.revocations.revoke("operations", order)))
    expect(await erasures.subject(BY, ANA)).toMatchObject({ code: "erasure_blocked" })
    expect(await world.revocations.locks()).toMatchObject([{ value: ANA }])
  })
})
