// What is answered about sub-agents: what each could do, under whom, and that it counts as granted once however often it is
// delegated to.
import { afterEach, beforeEach, expect, test } from "vitest"
import { onWhoseBehalf, whatItCould } from "../../src/audit/authority.ts"
import { leastPrivilege } from "../../src/audit/least-privilege.ts"
import { findTask } from "../../src/audit/question.ts"
import { createRollups } from "../../src/audit/rollup.ts"
import { delegateBy, exchangeBy, type Hand, must, openCrewWorld, startHand } from "../support/crew-world.ts"
import type { World } from "../support/world.ts"

let world: World
let hand: Hand
let sub: Hand

beforeEach(async () => {
  world = await openCrewWorld()
  hand = await startHand(world)
  world.clock.advance(60_000)
  sub = must(await delegateBy(world.tasks, hand, "summarizer", "pod-9"))
})
afterEach(async () => {
  await world.leave()
})

const asked = async () => {
  const task = await findTask(world.engine, { task: hand.taskId })
  if (!task) throw new Error("no task")
  return task
}

test("on whose behalf: the sub-agent stands below, with the delegation that it has", async () => {
  const { rows } = await onWhoseBehalf(world.engine, await asked())
  expect(rows.map(({ role, who, under }) => [role, who, under])).toEqual([
    ["principal", "support-orchestrator", "the orchestrator itself"],
    ["orchestrator", "support-orchestrator", undefined],
    ["agent", "triage-bot/pod-1", undefined],
    ["sub-agent", "summarizer/pod-9", sub.delegation],
  ])
})

test("what it could: each holder by itself, tokens without a gap in one line", async () => {
  world.clock.advance(60_000)
  must(await exchangeBy(world.tasks, sub))
  const { rows } = await whatItCould(world.engine, await asked())
  const ofSub = rows.filter(({ agent, api }) => agent === "summarizer" && api === "tickets")
  expect(ofSub).toMatchObject([{ operations: ["tickets:read"], from: "2026-03-01T09:01:00.250Z", tokens: 2 }])
  expect(String(ofSub[0]?.until) > "2026-03-01T09:07").toBe(true)
  const own = rows.filter(({ api }) => api === "(the issuer)")
  expect(own).not.toEqual([])
})

test("granted once to a sub-agent, however often it is delegated to again", async () => {
  const { agent, instance, jkt } = { agent: "summarizer", instance: "pod-9", jkt: sub.jkt }
  world.clock.advance(60_000)
  must(await exchangeBy(world.tasks, hand, { actor: { agent, instance, jkt } }))
  await createRollups(world).advance()
  const window = { from: world.clock.now(), to: world.clock.now(), limit: 100 }
  const { items } = await leastPrivilege(world.engine, world.policies.inForce(), { ...window, agent })
  expect(items).toMatchObject([{ operation: "tickets:read", granted: 1, used: 0 }])
})

test("who did nothing is told of names that are enabled, and of no others", async () => {
  await createRollups(world).advance()
  const { agents, tasks } = world.policies.inForce()
  const [agent, type] = [agents.get("triage-bot"), tasks.get("triage-ticket")]
  if (!agent || !type) throw new Error("the policy has neither")
  const both = <One extends object>(one: One) => [
    ["idle", { ...one, enabled: true }] as const,
    ["off", { ...one, enabled: false }] as const,
  ]
  const named = { agents: new Map([...agents, ...both(agent)]), tasks: new Map([...tasks, ...both(type)]) }
  const window = { from: world.clock.now(), to: world.clock.now() + 1, limit: 1 }
  const { dormant } = await leastPrivilege(world.engine, named, window)
  for (const names of [dormant.agents, dormant.types]) {
    expect(names).toContain("idle")
    expect(names).not.toContain("off")
  }
  expect(dormant.agents).not.toContain("triage-bot")
})
