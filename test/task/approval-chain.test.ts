// Approvals of holders below the task's own agent: who of a chain may ask, whose the answer is, and with whom it ends.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { Requester } from "../../src/task/approval.ts"
import { createApprovals } from "../../src/task/approvals.ts"
import { LEAD, mustBe, ORCHESTRATOR, question } from "../support/approvals.ts"
import { crewPolicy, newKey } from "../support/crew.ts"
import { delegateBy, engineBefore, exchangeBy, type Hand, startHand } from "../support/crew-world.ts"
import { createFolders } from "../support/folder.ts"
import { createWorld, ISSUER, TICKETS, type World, writePolicies } from "../support/world.ts"

const newFolder = createFolders()
const delegation = (to: string) => `delegation: { max_depth: 2, max_children: 3, to: { ${to} } }`
const TO = "summarizer: [tickets:read], checker: [tickets:read, tickets:close], closer: [tickets:close]"

let world: World
beforeEach(async () => {
  const folder = newFolder()
  writePolicies(join(folder, "policies"))
  setPolicy(join(folder, "policies"), TO)
  world = await createWorld({ folder })
})
afterEach(async () => {
  await world.leave()
})

function setPolicy(policies: string, to: string): void {
  const text = crewPolicy({ delegation: delegation(to), members: ["renew: agent"] })
  const crew = text.replace("  checker:", "  closer: { owner: ml-platform@example.com }\n  checker:")
  writeFileSync(join(policies, "support.yaml"), crew.replace("by: [leads]", "by: [operations-team]"))
  const staff = join(policies, "staff.yaml")
  writeFileSync(staff, readFileSync(staff, "utf8").replace("[operator]", "[operator, approver]"))
}

async function below(hand: Pick<Hand, "own" | "jkt">, agent = "checker", more: object = {}): Promise<Hand> {
  const given = mustBe(await delegateBy(world.tasks, hand, agent, "pod-9", more))
  return given.own === "" && "resource" in more ? { ...given, own: given.tickets } : given
}
const asking = (hand: Pick<Hand, "own" | "jkt">) =>
  world.approvals.asking(hand.own, { kind: "agent", jkt: hand.jkt, agent: undefined })
const requesterOf = async (hand: Hand): Promise<Requester> => mustBe(await asking(hand)).requester
const ask = async (hand: Hand, changes: object = {}) =>
  world.approvals.request(await requesterOf(hand), question(hand.taskId, changes))
const asked = async (hand: Hand) => mustBe(await ask(hand)).approval.approvalId
const grant = (id: string, decider = LEAD) => world.approvals.decide(decider, id, "grant")
const stateOf = async (id: string) => mustBe(await world.approvals.show({}, id)).state
async function approvedOf(hand: Hand, changes: object = {}) {
  const id = mustBe(await ask(hand, changes)).approval.approvalId
  mustBe(await grant(id))
  return { id, requester: await requesterOf(hand) }
}
const claimsOf = (token: string | undefined): Record<string, unknown> => decodeJwt(token ?? "")

describe("a sub-agent that policy lets close tickets", () => {
  test("asks in its own name and collects a token of its own: its chain, its lineage, its key", async () => {
    const root = await startHand(world)
    const checker = await below(root)
    const { approval } = mustBe(await ask(checker))
    expect(approval).toMatchObject({ requestedBy: "checker/pod-9", delegation: checker.delegation })
    mustBe(await grant(approval.approvalId))
    const requester = await requesterOf(checker)
    const { tokens } = mustBe(await world.approvals.collect(requester, root.taskId, approval.approvalId))
    const claims = claimsOf(tokens[0]?.accessToken)
    expect(claims).toMatchObject({
      aud: TICKETS,
      scope: "tickets:close",
      act: { sub: "checker/pod-9", act: { sub: "triage-bot/pod-1" } },
      lineage: [checker.delegation],
      cnf: { jkt: checker.jkt },
      authorization_details: [{ once: true }],
    })
    expect(Number(claims.exp)).toBeLessThanOrEqual(Number(claimsOf(root.own).exp))
    const { entries } = await world.ledger.read({ task: root.taskId, limit: 100 })
    const told = entries.filter(({ kind, body }) => /^approval/.test(kind) || body?.approval !== undefined)
    expect(told.map(({ kind, agent }) => `${kind} ${agent}`)).toEqual([
      "approval.requested checker",
      "approval.granted checker",
      "token.issued checker",
    ])
  })

  test("is nobody's to collect but that holder's", async () => {
    const root = await startHand(world)
    const { id } = await approvedOf(await below(root))
    const others = [
      await requesterOf(root),
      ORCHESTRATOR,
      await requesterOf(await below(root, "closer", { resource: ISSUER })),
    ]
    for (const other of others)
      expect(await world.approvals.collect(other, root.taskId, id)).toMatchObject({
        code: "approval_invalid",
      })
    expect(mustBe(await world.approvals.show({ task: root.taskId }, id)).state).toBe("granted")
    const viewer = { task: root.taskId, delegation: "del_other" }
    expect(await world.approvals.show(viewer, id)).toMatchObject({ code: "not_found" })
  })

  test("C13 is never decided by itself, nor by the user that the task runs for", async () => {
    const checker = await below(await startHand(world))
    const id = await asked(checker)
    for (const person of ["checker/pod-9", "support-orchestrator"])
      expect(await grant(id, { ...LEAD, person })).toMatchObject({ code: "approver_not_allowed" })
  })

  test("the same question of the agent above is another one", async () => {
    const root = await startHand(world)
    const id = await asked(await below(root))
    expect(mustBe(await ask(root))).toMatchObject({ created: true })
    expect(await asked(root)).not.toBe(id)
  })
})

describe("within the chain", () => {
  test.each([
    ["policy lets it be given no such thing", "summarizer", {}],
    ["it was given a part without it", "checker", { narrowing: { operations: ["tickets:read"] } }],
  ])("D01 where %s, there is nothing to ask and no token to ask with", async (_why, agent, more) => {
    const hand = await below(await startHand(world), agent, more)
    const answer = hand.own === "" ? undefined : await asking(hand)
    expect(answer).not.toHaveProperty("requester")
  })

  test("a delegation may name what is to be asked for", async () => {
    const narrowing = { operations: ["tickets:read", "tickets:close"] }
    const checker = await below(await startHand(world), "checker", { narrowing })
    expect(claimsOf(checker.tickets)).toMatchObject({ scope: "tickets:read" })
    expect(mustBe(await ask(checker)).created).toBe(true)
  })

  test("D01 who stands below one that may not ask may not either", async () => {
    const first = await below(await startHand(world), "checker", {
      narrowing: { operations: ["tickets:read"] },
    })
    const none = await delegateBy(world.tasks, first, "closer", "pod-9", { resource: ISSUER })
    expect(none).toBeInstanceOf(Refusal)
  })

  test("D01 policy that takes it back while a person thinks: it is neither granted nor collected", async () => {
    const checker = await below(await startHand(world))
    const { id, requester } = await approvedOf(checker)
    const later = mustBe(await ask(checker, { parameters: 2 })).approval.approvalId
    setPolicy(
      world.policyFolder,
      TO.replace("checker: [tickets:read, tickets:close]", "checker: [tickets:read]"),
    )
    expect(await world.policies.reload()).toBe("loaded")
    expect(await grant(later)).toMatchObject({ code: "access_denied" })
    expect(await world.approvals.collect(requester, checker.taskId, id)).toMatchObject({
      code: "access_denied",
    })
  })
})

test("D01 who is let in by way of an API's token asks for nothing beyond that token", async () => {
  const root = await startHand(world)
  const { thumbprint: jkt } = newKey()
  const given = mustBe(
    await exchangeBy(
      world.tasks,
      { own: root.tickets, jkt },
      {
        by: { kind: "caller", name: "support-orchestrator", orchestrator: true },
        actor: { agent: "checker", instance: "pod-9", jkt },
      },
    ),
  )
  expect(claimsOf(given.own?.accessToken)).toMatchObject({ scope: "task:renew task:delegate" })
})

describe("it ends with its delegation, or with any holder above", () => {
  const endings: readonly [string, (above: Hand, below: Hand) => string | undefined][] = [
    ["its own delegation", (_above, own) => own.delegation],
    ["the one above", (above) => above.delegation],
  ]
  const revoke = async (value: string | undefined) =>
    mustBe(
      await world.revocations.revoke("operations-team", {
        kind: "delegation",
        value: value ?? "",
        reason: "found out",
      }),
    )

  test.each(endings)(
    "D07 %s: open and granted ones expire, what was collected is dead",
    async (_what, ended) => {
      const first = await below(await startHand(world))
      const second = await below(first, "closer", { resource: ISSUER })
      const { id, requester } = await approvedOf(second)
      const { tokens } = mustBe(await world.approvals.collect(requester, first.taskId, id))
      const granted = (await approvedOf(second, { parameters: 2 })).id
      const open = mustBe(await ask(second, { parameters: 3 })).approval.approvalId
      await revoke(ended(first, second))
      expect([await stateOf(granted), await stateOf(open)]).toEqual(["expired", "expired"])
      for (const one of [granted, open])
        expect(await world.approvals.collect(requester, first.taskId, one)).toBeInstanceOf(Refusal)
      expect(await grant(open)).toBeInstanceOf(Refusal)
      expect(await world.approvals.request(requester, question(first.taskId))).toMatchObject({
        code: "delegation_ended",
      })
      const claim = { jti: String(claimsOf(tokens[0]?.accessToken).jti), use: "use_1" }
      expect(await world.approvals.claim("tickets", claim)).toBe("token_revoked")
      expect(await world.approvals.sweep()).toBe(2)
    },
  )

  test("D06 ended between the decision and its commit: nothing is minted", async () => {
    const first = await below(await startHand(world))
    const { id, requester } = await approvedOf(first)
    const approvals = createApprovals({
      ...world,
      engine: engineBefore(world, () => revoke(first.delegation)),
    })
    expect(await approvals.collect(requester, first.taskId, id)).toBeInstanceOf(Refusal)
    const { entries } = await world.ledger.read({ task: first.taskId, limit: 100 })
    expect(entries.filter(({ body }) => body?.approval === id && body.exp !== undefined)).toEqual([])
  })

  test("D06 nobody is asked for a holder whose delegation ended before the commit", async () => {
    const first = await below(await startHand(world))
    const requester = await requesterOf(first)
    const end = () => revoke(first.delegation)
    const approvals = createApprovals({ ...world, engine: engineBefore(world, end) })
    expect(await approvals.request(requester, question(first.taskId))).toMatchObject({
      code: "delegation_ended",
    })
    expect((await world.ledger.read({ kind: "approval.requested" })).entries).toEqual([])
  })

  test("D06 granted to no holder who was let in anew, with another key, before the commit", async () => {
    const root = await startHand(world)
    const checker = await below(root)
    const id = await asked(checker)
    const approvals = createApprovals({ ...world, engine: engineBefore(world, () => below(root)) })
    expect(await approvals.decide(LEAD, id, "grant")).toMatchObject({ code: "approval_decided" })
    const { entries } = await world.ledger.read({ kind: "approval.granted" })
    expect([await stateOf(id), entries]).toEqual(["expired", []])
  })

  test("D02 the holder above has no live token: wait, and no token outlives it", async () => {
    const root = await startHand(world)
    const checker = await below(root)
    const early = await approvedOf(checker, { parameters: 2 })
    const { id, requester } = await approvedOf(checker)
    world.clock.advance(4 * 60_000)
    const { tokens } = mustBe(await world.approvals.collect(requester, root.taskId, early.id))
    expect(claimsOf(tokens[0]?.accessToken).exp).toBe(claimsOf(root.own).exp)
    world.clock.advance(7 * 60_000)
    expect(await world.approvals.collect(requester, root.taskId, id)).toMatchObject({
      code: "holder_above_expired",
    })
  })
})
