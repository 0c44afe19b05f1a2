// Who asks and collects beside the orchestrator: the task's own agent, authenticated by itself.
import { decodeJwt } from "jose"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { asAgent } from "../../src/task/approval.ts"
import { approvalDesk, createApprovalWorld, mustBe, question } from "../support/approvals.ts"
import { createFolders } from "../support/folder.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
const { start, grant, approved } = approvalDesk(() => world)

beforeEach(async () => {
  world = await createApprovalWorld(newFolder())
})
afterEach(async () => {
  await world.leave()
})

const K1 = "A".repeat(43)
const K2 = "B".repeat(43)
const agent = (provenJkt?: string, name = "triage-bot") => asAgent(name, provenJkt)

describe("the task's own agent, authenticated", () => {
  test("asks and collects, of a task that never had a token", async () => {
    const { taskId, tokens } = await start({ operations: ["tickets:close"] })
    expect(tokens).toEqual([])
    const { approval } = mustBe(await world.approvals.request(agent(), question(taskId)))
    expect(approval.requestedBy).toBe("triage-bot/pod-1")
    await grant(approval.approvalId)
    const { tokens: collected } = mustBe(await world.approvals.collect(agent(), taskId, approval.approvalId))
    expect(collected).toMatchObject([{ scope: "tickets:close", tokenType: "Bearer" }])
  })

  test("sees and collects what its orchestrator asked for it, and is not asked twice", async () => {
    const { taskId, id } = await approved()
    const again = mustBe(await world.approvals.request(agent(), question(taskId)))
    expect(again).toMatchObject({ created: false, approval: { approvalId: id } })
    expect(await world.approvals.show({ agent: "triage-bot" }, id)).toMatchObject({ approvalId: id })
    expect(mustBe(await world.approvals.collect(agent(), taskId, id)).tokens).toHaveLength(1)
  })

  test.each([
    ["the key it proved, where the task is bound to none", undefined, K2, K2],
    ["the task's own key, whatever it proved", K1, K2, K1],
    ["the task's own key, where it proved none", K1, undefined, K1],
  ])("collects what is bound to %s", async (_what, dpopJkt, provenJkt, jkt) => {
    const { taskId } = await start(dpopJkt === undefined ? {} : { dpopJkt })
    const asked = mustBe(await world.approvals.request(agent(provenJkt), question(taskId)))
    await grant(asked.approval.approvalId)
    const collected = mustBe(
      await world.approvals.collect(agent(provenJkt), taskId, asked.approval.approvalId),
    )
    expect(decodeJwt(collected.tokens[0]?.accessToken ?? "").cnf).toEqual({ jkt })
  })

  test("of another task: asking, looking and collecting answer as if there were none", async () => {
    const { taskId, id } = await approved()
    const other = agent(undefined, "deploy-bot")
    expect(await world.approvals.request(other, question(taskId))).toMatchObject({ code: "not_found" })
    expect(await world.approvals.show({ agent: "deploy-bot" }, id)).toMatchObject({ code: "not_found" })
    expect(await world.approvals.collect(other, taskId, id)).toMatchObject({ code: "not_found" })
  })
})
