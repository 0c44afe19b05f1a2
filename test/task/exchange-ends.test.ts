// What ends between the decision about an exchange and its commit, guard by guard: each case leaves all the other guards
// content. What ends with the task or a name is in test/attacks/d-guards.test.ts.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createStatusLists } from "../../src/task/status-list.ts"
import { createTasks } from "../../src/task/task.ts"
import { claimsOf, crewPolicy, newKey } from "../support/crew.ts"
import {
  delegateBy,
  exchangeBy,
  type Hand,
  must,
  ORCHESTRATOR,
  openCrewWorld,
  setRules,
  startHand,
  tasksBefore,
} from "../support/crew-world.ts"
import { readStatusList, statusClaimOf } from "../support/status-reader.ts"
import type { World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await openCrewWorld()
})
afterEach(async () => {
  await world.leave()
})

interface Chain {
  readonly root: Hand
  readonly first: Hand
  readonly second: Hand
}

const revoke = async (kind: "token" | "delegation" | "agent" | "instance", value: string | undefined) =>
  must(await world.revocations.revoke("operations-team", { kind, value: value ?? "", reason: "found out" }))
const endTokens = async (...tokens: string[]) => {
  for (const token of tokens) await revoke("token", String(claimsOf(token).jti))
}
const entries = async (kind: "token.renewed" | "token.delegated") =>
  (await world.ledger.read({ kind })).entries.length
const fresh = async (hand: Hand, resource: string) =>
  must(await exchangeBy(world.tasks, hand, { resource })).token.accessToken

/** Ten minutes later, when tokens of the chain have run out and may still be renewed, below a root that did. */
async function inGrace({ root }: Chain): Promise<void> {
  world.clock.advance(500_000)
  await fresh(root, world.issuer)
  world.clock.advance(200_000)
}

async function chainOfThree(): Promise<Chain> {
  const root = await startHand(world)
  await startHand(world) // what lives of another task keeps nothing alive here
  const first = must(await delegateBy(world.tasks, root, "summarizer", "pod-2"))
  return { root, first, second: must(await delegateBy(world.tasks, first, "checker", "pod-3")) }
}

describe("D06 a renewal is refused when, before its commit, there ended", () => {
  const nothing = async () => undefined
  test.each<[string, keyof Chain, typeof inGrace, (chain: Chain) => Promise<unknown>, string]>([
    [
      "the subject token, though the holder has others",
      "root",
      nothing,
      ({ root }) => endTokens(root.own),
      "subject_token_invalid",
    ],
    [
      "the holder's delegation, when its tokens had run out by themselves",
      "first",
      inGrace,
      ({ first }) => revoke("delegation", first.delegation),
      "delegation_ended",
    ],
    [
      "every token of the holder above, whose delegation stands",
      "second",
      nothing,
      ({ first }) => endTokens(first.own, first.tickets),
      "holder_above_expired",
    ],
    [
      "every token of the task's own agent above",
      "first",
      nothing,
      ({ root }) => endTokens(root.own, root.tickets),
      "holder_above_expired",
    ],
  ])("%s", async (_what, who, before, end, code) => {
    const chain = await chainOfThree()
    await before(chain)
    const renewed = await entries("token.renewed")
    const tasks = tasksBefore(world, () => end(chain))
    expect(await exchangeBy(tasks, chain[who])).toMatchObject({ code })
    expect(await entries("token.renewed")).toBe(renewed)
  })
})

test("D06 a sub-agent's instance that is locked before the commit gets nothing, nor is it let in anew", async () => {
  const { root, first } = await chainOfThree()
  const tasks = tasksBefore(world, () => revoke("instance", "summarizer/pod-2"))
  expect(await exchangeBy(tasks, first)).toMatchObject({ code: "locked" })
  expect(await delegateBy(world.tasks, root, "summarizer", "pod-2")).toMatchObject({ code: "locked" })
  must(await delegateBy(world.tasks, root, "summarizer", "pod-4"))
})

test("C15 a refusal by a policy that is replaced before it is written is decided again", async () => {
  const rewrite = async (to: string) => {
    setRules(world.policyFolder, { delegation: `delegation: { to: { ${to} } }` })
    expect(await world.policies.reload()).toBe("loaded")
  }
  await rewrite("checker: [tickets:comment]")
  const root = await startHand(world)
  const tasks = tasksBefore(world, () => rewrite("summarizer: [tickets:read]"))
  must(await delegateBy(tasks, root, "summarizer", "pod-2"))
  expect((await world.ledger.read({ kind: "token.refused" })).entries).toEqual([])
})

describe("D08 D15 the task's own orchestrator, with an API's token", () => {
  const byCaller = (hand: Hand, tasks = world.tasks, more: object = {}) =>
    exchangeBy(
      tasks,
      { ...hand, own: hand.tickets },
      { by: { kind: "caller", name: ORCHESTRATOR, orchestrator: true }, ...more },
    )

  test("gets nothing for one that its issuer gave out under another name", async () => {
    const hand = await startHand(world)
    const renamed = createTasks({ ...world, issuer: "https://renamed.example" })
    expect(await byCaller(hand, renamed)).toMatchObject({ code: "subject_token_invalid" })
    must(await byCaller(hand))
  })

  test("has no grace: that is the agent's, which proves its key", async () => {
    const hand = await startHand(world)
    world.clock.advance(Number(claimsOf(hand.tickets).exp) * 1000 - world.clock.now())
    expect(await byCaller(hand)).toMatchObject({ code: "subject_token_expired" })
    await fresh(hand, "https://tickets.internal.example")
  })
})

test("D17 an agent's own token is never a part of one", async () => {
  const root = await startHand(world)
  const narrowing = { operations: ["tickets:read"] }
  const part = await exchangeBy(world.tasks, root, { resource: world.issuer, narrowing })
  expect(part).toMatchObject({ code: "operation_not_allowed", errors: [{ pointer: "/scope" }] })
})

test("D02 a sub-agent lives no longer than what its holder has left when the delegation is committed", async () => {
  const root = await startHand(world)
  world.clock.advance(300_000)
  const longer = await fresh(root, "https://tickets.internal.example")
  await startHand(world)
  expect(claimsOf(longer).exp).toBeGreaterThan(Number(claimsOf(root.own).exp))
  const tasks = tasksBefore(world, () => endTokens(longer))
  const child = must(await delegateBy(tasks, root, "summarizer", "pod-2"))
  expect(claimsOf(child.tickets).exp).toBe(claimsOf(root.own).exp)
})

test("D07 a sub-agent that is delegated to again with another key: its first token is ended for foreign verifiers", async () => {
  const foreign = crewPolicy().replace("    operations:\n", "    foreign: true\n    operations:\n")
  writeFileSync(join(world.policyFolder, "support.yaml"), foreign)
  expect(await world.policies.reload()).toBe("loaded")
  const root = await startHand(world)
  const before = must(await delegateBy(world.tasks, root, "summarizer", "pod-2"))
  const below = must(await delegateBy(world.tasks, before, "checker", "pod-3"))
  const after = must(await delegateBy(world.tasks, root, "summarizer", "pod-2"))
  expect(after.delegation).not.toBe(before.delegation)
  const told = [root, before, below, after].map(({ tickets }) => statusOf(tickets))
  expect(await Promise.all(told)).toEqual([0, 1, 1, 0])
})

test("D07 the same sub-agent below two holders is two delegations, and each goes its own way", async () => {
  const { root, second } = await chainOfThree()
  const beside = must(await delegateBy(world.tasks, root, "checker", "pod-3"))
  expect(beside.delegation).not.toBe(second.delegation)
  for (const hand of [second, beside]) await fresh(hand, world.issuer)
  await revoke("delegation", beside.delegation)
  await fresh(second, world.issuer)
})

describe("D07 what has ended keeps the time of its end when there comes", () => {
  test.each<[string, (chain: Chain) => Promise<unknown>]>([
    [
      "another key for the holder above",
      ({ root }) => delegateBy(world.tasks, root, "summarizer", "pod-2").then(must),
    ],
    ["a revocation of its agent", () => revoke("agent", "checker")],
    [
      "another instance of the task's agent",
      ({ root }) =>
        world.tasks
          .renew(ORCHESTRATOR, root.taskId, { instance: "pod-9", dpopJkt: newKey().thumbprint })
          .then(must),
    ],
  ])("%s", async (_what, act) => {
    const chain = await chainOfThree()
    const { taskId, delegation } = chain.second
    const ends = async () => {
      const { lineage, tokens } = must(await world.tasks.show({ clientId: "", staff: true }, taskId))
      const own = tokens.filter((one) => one.delegation === delegation)
      return [...lineage.filter(({ id }) => id === delegation), ...own].map(({ endedAt }) => endedAt)
    }
    await revoke("delegation", delegation)
    const before = await ends()
    expect(before).toEqual(before.map(() => expect.any(Number)))
    world.clock.advance(60_000)
    await act(chain)
    expect(await ends()).toEqual(before)
  })
})

test("D07 the end of a delegation is told up to its last token, and until that runs out", async () => {
  const { root, first } = await chainOfThree()
  world.clock.advance(300_000)
  await fresh(root, "https://tickets.internal.example")
  const { iat, exp } = claimsOf(await fresh(first, "https://tickets.internal.example"))
  must(await delegateBy(world.tasks, root, "summarizer", "pod-2"))
  const { items } = await world.revocations.feed("tickets", 0, 100)
  const told = { kind: "delegation", value: first.delegation, before: iat, until: exp }
  expect(items).toMatchObject([told])
})

test("D07 an instance that is revoked is that of its agent, not another's of the same name", async () => {
  const root = await startHand(world)
  const child = must(await delegateBy(world.tasks, root, "summarizer", "pod-2"))
  await revoke("instance", "checker/pod-2")
  await fresh(child, world.issuer)
})

async function statusOf(token: string): Promise<number> {
  const { idx, uri } = statusClaimOf(token)
  const list = must(await createStatusLists(world).read(uri.slice(uri.lastIndexOf("/") + 1)))
  const expected = { keys: world.keyring.jwks(), uri, now: world.clock.now() }
  return (await readStatusList(list?.jwt ?? "", expected)).statusAt(idx)
}
