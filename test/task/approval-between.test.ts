// What happens between a decision about an approval and its commit: a person's yes, and the token that comes of it.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createApprovals } from "../../src/task/approvals.ts"
import type { Change } from "../../src/task/finish.ts"
import {
  approvalDesk,
  createApprovalWorld,
  LEAD,
  mustBe,
  ORCHESTRATOR,
  question,
} from "../support/approvals.ts"
import { engineBefore } from "../support/crew-world.ts"
import { createFolders } from "../support/folder.ts"
import { SUPPORT_START, type World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
const { start, ask, collect, kindsOf, approved } = approvalDesk(() => world)
beforeEach(async () => {
  world = await createApprovalWorld(newFolder())
})
afterEach(async () => {
  await world.leave()
})

const approvalsBefore = (act: () => Promise<unknown>) =>
  createApprovals({ ...world, engine: engineBefore(world, act) })
const lock = (kind: "api" | "agent", value: string) => () =>
  world.revocations.revoke("operations-team", { kind, value, reason: "drill" })
const rewrite = (from: string | RegExp, to: string) => async () => {
  const path = join(world.policyFolder, "support.yaml")
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to))
  expect(await world.policies.reload()).toBe("loaded")
}
const CLOSING = / {6}- api: tickets\n {8}operations: \[tickets:close\]\n.*\n.*\n/

describe("C13 a yes is not written when, before its commit, there came", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ["a lock of the API", lock("api", "tickets"), "locked"],
    ["a policy that grants it no more", rewrite(CLOSING, ""), "access_denied"],
    [
      "a policy that asks somebody else",
      rewrite("by: [operations-team]", "by: [audit-team]"),
      "approver_not_allowed",
    ],
  ])("%s", async (_what, act, code) => {
    const { taskId } = await start()
    const id = (await ask(taskId)).approval.approvalId
    expect(await approvalsBefore(act).decide(LEAD, id, "grant")).toMatchObject({ code })
    expect(await kindsOf(taskId)).not.toContain("approval.granted")
  })
})

test.each(["grant", "deny"] as const)(
  "C13 to %s is not written of a task that, before the commit, was completed",
  async (decision) => {
    const { taskId } = await start()
    const id = (await ask(taskId)).approval.approvalId
    const complete = () => world.tasks.change("support-orchestrator", taskId, "complete")
    expect(await approvalsBefore(complete).decide(LEAD, id, decision)).toMatchObject({
      code: "approval_decided",
    })
    expect((await kindsOf(taskId)).filter((kind) => /granted|denied/.test(kind))).toEqual([])
  },
)

test.each(["grant", "deny"] as const)("C13 to %s is not for a person whom a lock names", async (decision) => {
  const id = (await ask((await start()).taskId)).approval.approvalId
  await world.revocations.revoke("operations-team", { kind: "subject", value: LEAD.person, reason: "left" })
  expect(await world.approvals.decide(LEAD, id, decision)).toMatchObject({ code: "locked" })
})

test("of two who ask for the last place among a task's open questions one is told to wait", async () => {
  const { taskId } = await start()
  for (let n = 0; n < 19; n++) await ask(taskId, { parameters: n })
  const late = approvalsBefore(() => ask(taskId, { parameters: "first" }))
  expect(await late.request(ORCHESTRATOR, question(taskId, { parameters: "second" }))).toMatchObject({
    code: "limit_reached",
  })
})

test("of two that sweep at once one writes down what has expired", async () => {
  const { taskId } = await approved()
  world.clock.advance(15 * 60_000)
  expect(await approvalsBefore(() => world.approvals.sweep()).sweep()).toBe(0)
  expect((await kindsOf(taskId)).filter((kind) => kind === "approval.expired")).toHaveLength(1)
})

test("C13 nobody is asked, and nothing starts, about an API that was locked before, though nothing there is had without a person", async () => {
  const alone = { operations: ["tickets:close"] }
  const { taskId } = await start(alone)
  const approvals = approvalsBefore(lock("api", "tickets"))
  expect(await approvals.request(ORCHESTRATOR, question(taskId))).toMatchObject({ code: "locked" })
  expect(await kindsOf(taskId)).not.toContain("approval.requested")
  const another = await world.tasks.start("support-orchestrator", { ...SUPPORT_START, ...alone })
  expect(another).toMatchObject({ code: "locked" })
})

describe("C13 nothing is collected in a task that, before the commit, was", () => {
  const change = (to: Change) => (taskId: string) => world.tasks.change("support-orchestrator", taskId, to)
  test.each<[string, (taskId: string) => Promise<unknown>, string]>([
    ["paused", change("pause"), "task_paused"],
    ["completed", change("complete"), "task_ended"],
    ["canceled", change("cancel"), "task_ended"],
  ])("%s", async (_what, act, code) => {
    const { taskId, id } = await approved()
    const before = (await kindsOf(taskId)).filter((kind) => kind === "token.issued")
    const answer = await collect(
      taskId,
      id,
      approvalsBefore(() => act(taskId)),
    )
    expect(answer).toMatchObject({ code })
    expect((await kindsOf(taskId)).filter((kind) => kind === "token.issued")).toEqual(before)
  })

  test("taken over: the token is the new instance's", async () => {
    const { taskId, id } = await approved()
    const takeOver = () => world.tasks.renew("support-orchestrator", taskId, { instance: "pod-2" })
    const { tokens } = mustBe(await collect(taskId, id, approvalsBefore(takeOver)))
    expect(decodeJwt(tokens[0]?.accessToken ?? "").act).toMatchObject({ sub: "triage-bot/pod-2" })
  })
})
