// Uses that should not have been: each is in the ledger all the same, marked, and told of once a minute.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { anomaliesOf, type UsedToken } from "../../src/task/misuse.ts"
import { toInstant } from "../../src/time.ts"
import type { UseRecord } from "../../src/token/batch.ts"
import { newId } from "../../src/token/id.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createReporter, useOf } from "../support/chain-reporter.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

describe("H15 a use", () => {
  const NOW = 1_000_000_000
  const token: UsedToken = {
    iat: NOW / 1000 - 100,
    exp: NOW / 1000 + 500,
    same_task: 1,
    token_api: "tickets",
    token_ended_at: null,
    task_ended_at: null,
  }
  const allowed = { decision: "allowed" } as const
  const judge = (
    changed: Partial<UsedToken>,
    at = NOW,
    use: Pick<UseRecord, "decision" | "code"> = allowed,
    risk: "low" | "moderate" | "high" | undefined = "high",
  ) => anomaliesOf(use, { ...token, ...changed }, { api: "tickets", at, heardAt: NOW + 900_000, risk })
  const ended = { token_ended_at: NOW }
  const over = { token_ended_at: NOW, task_ended_at: NOW }
  const revoked = { decision: "refused", code: "token_revoked" } as const
  const unlike = { decision: "observed", code: "resource_not_granted" } as const

  test.each<[string, readonly string[], readonly string[]]>([
    ["of a live token", judge({}), []],
    ["of a token that nobody minted", judge({ iat: null, exp: null }), ["use_of_unknown_token"]],
    ["of one, refused", judge({ iat: null, exp: null }, NOW, revoked), ["use_of_unknown_token"]],
    ["of another task's token", judge({ same_task: 0 }), ["use_of_other_task"]],
    ["of another API's token", judge({ token_api: "deployments" }), ["use_at_other_api"]],
    ["of one, refused", judge({ token_api: "deployments" }, NOW, revoked), []],
    ["before the token was", judge({}, NOW - 105_001), ["use_before_issue"]],
    ["before, within the skew", judge({}, NOW - 105_000), []],
    ["after its time, within the skew", judge({}, NOW + 505_999), []],
    ["after its time", judge({}, NOW + 506_000), ["use_after_expiry"]],
    ["after its time, refused", judge({}, NOW + 600_000, revoked), []],
    ["of high risk, while a verifier may not know", judge(ended, NOW + 30_000), []],
    ["of high risk, when it must", judge(ended, NOW + 30_001), ["use_after_token_end"]],
    ["of moderate risk, while it may not", judge(ended, NOW + 300_000, allowed, "moderate"), []],
    ["of moderate risk", judge(ended, NOW + 300_001, allowed, "moderate"), ["use_after_token_end"]],
    ["of low risk, until the token's time", judge(ended, NOW + 500_000, allowed, "low"), []],
    [
      "that the policy knows no more",
      judge(ended, NOW + 30_001, allowed, undefined),
      ["use_after_token_end"],
    ],
    ["when the task ended", judge(over, NOW), []],
    ["after the task ended, at any risk", judge(over, NOW + 1, allowed, "low"), ["use_after_task_end"]],
    ["after it, refused", judge(over, NOW + 1, revoked), []],
    [
      "after it, let through by observe mode, which said so",
      judge(over, NOW + 1, { ...revoked, decision: "observed" }),
      [],
    ],
    ["after it, let through for another reason", judge(over, NOW + 1, unlike), ["use_after_task_end"]],
  ])("%s", (_what, found, expected) => expect(found).toEqual(expected))

  test("that is yet to come is dated wrongly", () => {
    const at = { api: "tickets", heardAt: NOW, risk: "low" } as const
    expect(anomaliesOf(allowed, token, { ...at, at: NOW + 5000 })).toEqual([])
    expect(anomaliesOf(allowed, token, { ...at, at: NOW + 5001 })).toEqual(["use_dated_ahead"])
  })
})

describe("H15 in the ledger", () => {
  let world: World
  let token: { task: string; jti: string }
  beforeAll(async () => {
    world = await createWorld()
    const started = await world.tasks.start("support-orchestrator", SUPPORT_START)
    if (started instanceof Refusal) throw new Error(started.reason)
    const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
    token = { task: started.taskId, jti: "token" in opened ? opened.token.jti : "" }
  })
  afterAll(async () => {
    await world.leave()
  })
  const told = async (kind: "use.allowed" | "alarm.raised", from: number) =>
    (await world.ledger.read({ kind, from, limit: 1000 })).entries

  test("a use of a live token says nothing of the kind, and one after the end of its task says so at once", async () => {
    const one = createReporter(world)
    const from = world.clock.now()
    await one.bring(one.next({ uses: [useOf(world, token)] }))
    expect((await told("use.allowed", from))[0]?.body).not.toHaveProperty("anomalies")
    expect(await told("alarm.raised", from)).toEqual([])
    world.clock.advance(1000)
    await world.tasks.change("support-orchestrator", token.task, "complete")
    world.clock.advance(1)
    const late = useOf(world, token)
    await one.bring(one.next({ uses: [late, useOf(world, token)] }))
    const marked = { jti: token.jti, body: { use: late.id, anomalies: ["use_after_task_end"] } }
    expect((await told("use.allowed", from))[1]).toMatchObject(marked)
    const who = {
      task_id: token.task,
      jti: token.jti,
      agent: "triage-bot",
      instance: "pod-1",
      api: "tickets",
    }
    const body = { alarm: "use_after_task_end", use: late.id, uses: 2, verifier: one.instance, sequence: 2 }
    expect(await told("alarm.raised", from)).toMatchObject([{ ...who, code: "use_after_task_end", body }])
  })

  test("the same of one token is an alarm once a minute, and of tokens that nobody minted once for all", async () => {
    const one = createReporter(world)
    world.clock.advance(60_000)
    const from = world.clock.now()
    for (let round = 0; round < 20; round++) {
      const unknown = [1, 2, 3].map(() => useOf(world, { task: newId("task"), jti: newId("tok") }))
      await one.bring(one.next({ uses: [useOf(world, token), ...unknown] }))
    }
    expect((await told("use.allowed", from)).every(({ body }) => body?.anomalies !== undefined)).toBe(true)
    const codes = async () => (await told("alarm.raised", from)).map(({ code }) => code)
    expect(await codes()).toEqual(["use_after_task_end", "use_of_unknown_token"])
    world.clock.advance(60_000)
    await one.bring(one.next({ uses: [useOf(world, token)] }))
    expect(await codes()).toHaveLength(3)
  })

  test("a clock that is ahead does not make a use late", async () => {
    const started = await world.tasks.start("support-orchestrator", SUPPORT_START)
    if (started instanceof Refusal) throw new Error(started.reason)
    const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
    const other = { task: started.taskId, jti: "token" in opened ? opened.token.jti : "" }
    const ahead = (use: number) => useOf(world, other, { at: toInstant(world.clock.now() + use) })
    const one = createReporter(world)
    world.clock.advance(1000)
    await world.tasks.change("support-orchestrator", other.task, "complete")
    const from = world.clock.now()
    await one.bring(one.next({ uses: [ahead(2000)] }), Math.floor(from / 1000) + 3)
    expect(await told("alarm.raised", from)).toEqual([])
    await one.bring(one.next({ uses: [ahead(4000)] }), Math.floor(from / 1000) + 3)
    expect(await told("alarm.raised", from)).toMatchObject([{ code: "use_after_task_end" }])
  })

  test("nor does one that is behind: what its verifier saw in time was in time", async () => {
    const started = await world.tasks.start("support-orchestrator", SUPPORT_START)
    if (started instanceof Refusal) throw new Error(started.reason)
    const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
    if (!("token" in opened)) throw new Error(opened.tag)
    const { jti, exp } = opened.token
    world.clock.advance((exp + 30) * 1000 - world.clock.now())
    const from = world.clock.now()
    const use = useOf(world, { task: started.taskId, jti }, { at: toInstant(from - 60_000) })
    const one = createReporter(world)
    await one.bring(one.next({ uses: [use] }), Math.floor(from / 1000) - 60)
    expect(await told("alarm.raised", from)).toEqual([])
  })

  test("refusals that were folded into one count as many as they were", async () => {
    const one = createReporter(world)
    world.clock.advance(60_000)
    const from = world.clock.now()
    const folded = (count: number) =>
      useOf(
        world,
        { task: newId("task"), jti: newId("tok") },
        { decision: "refused", code: "token_revoked", count },
      )
    await one.bring(one.next({ uses: [folded(5), folded(2)] }))
    expect(await told("alarm.raised", from)).toMatchObject([{ body: { uses: 7 } }])
  })
})
