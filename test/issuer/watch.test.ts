// What nobody reports because nothing is heard any more: found within a minute, and said to be over when it is. Times are
// the fake clock's.
import { readFileSync, writeFileSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { toInstant } from "../../src/time.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { createQuiet, type Quiet } from "../support/quiet.ts"

let quiet: Quiet

beforeEach(async () => {
  quiet = await createQuiet()
})
afterEach(() => quiet.remove())

describe("a verifier gone quiet", () => {
  beforeEach(() => quiet.pass(45))

  test("is silent after three heartbeats and told within a minute, and returned when it is heard", async () => {
    await quiet.pass(30, () => quiet.verifier.report())
    expect(await quiet.raised()).toEqual([])
    const last = quiet.world.clock.now()
    await quiet.pass(30)
    expect(await quiet.raised()).toEqual([])
    await quiet.pass(5)
    const body = {
      alarm: "verifier_silent",
      since: toInstant(last),
      verifier: quiet.verifier.instance,
      sequence: 6,
    }
    expect(await quiet.entries("verifier.silent")).toMatchObject([
      { api: "tickets", code: "verifier_silent", body },
    ])
    expect(quiet.watch.standing().get("verifier_silent")).toBe(1)
    await quiet.pass(120)
    expect(await quiet.raised()).toHaveLength(1)
    await quiet.verifier.report()
    await quiet.pass(5)
    expect(await quiet.entries("verifier.returned")).toMatchObject([{ api: "tickets", body }])
    expect([...quiet.watch.standing()]).toEqual([])
    await quiet.pass(35)
    expect(await quiet.raised()).toHaveLength(2)
  })

  test("that said its last word is not missed", async () => {
    await quiet.verifier.report([], true)
    await quiet.pass(120)
    expect(await quiet.raised()).toEqual([])
  })

  test("that is written off is over, and has not returned", async () => {
    await quiet.verifier.report()
    await quiet.pass(70)
    await quiet.world.verifiers.forget("operations-team", quiet.verifier.instance, "the node is gone")
    await quiet.pass(5)
    expect(await quiet.entries("alarm.cleared")).toMatchObject([{ code: "verifier_silent" }])
    expect(await quiet.entries("verifier.returned")).toEqual([])
  })

  test("is listed as silent", async () => {
    await quiet.verifier.report()
    quiet.world.clock.advance(30_000)
    expect(await quiet.world.verifiers.list()).toMatchObject([{ silent: false }])
    quiet.world.clock.advance(1)
    expect(await quiet.world.verifiers.list()).toMatchObject([{ silent: true, closed: false }])
  })
})

describe("a running task that is renewed no more", () => {
  beforeEach(() => quiet.pass(45))

  test("is told within a minute after its last token ran out, and over with the next one", async () => {
    const task = await quiet.start({ reference: "run-7" })
    await quiet.pass(570)
    await quiet.renew(task.taskId)
    await quiet.pass(595)
    expect(await quiet.raised()).toEqual([])
    await quiet.pass(35)
    const who = {
      task_id: task.taskId,
      agent: "triage-bot",
      instance: "pod-1",
      orchestrator: "support-orchestrator",
      code: "task_unrenewed",
    }
    expect(await quiet.entries("alarm.raised")).toMatchObject([who])
    await quiet.pass(60)
    expect(await quiet.entries("alarm.raised")).toHaveLength(1)
    await quiet.renew(task.taskId)
    await quiet.pass(5)
    expect(await quiet.entries("alarm.cleared")).toMatchObject([who])
    await quiet.pass(640)
    expect(await quiet.entries("alarm.raised")).toHaveLength(2)
  })

  test.each(["pause", "complete"] as const)("that was told to %s is not missed", async (change) => {
    const task = await quiet.start()
    await quiet.world.tasks.change("support-orchestrator", task.taskId, change)
    await quiet.pass(660)
    expect(await quiet.raised()).toEqual([])
  })

  test("is over when it ends, without a token", async () => {
    const task = await quiet.start()
    await quiet.pass(640)
    expect(await quiet.raised()).toHaveLength(1)
    await quiet.world.tasks.change("support-orchestrator", task.taskId, "cancel")
    await quiet.pass(5)
    expect(await quiet.cleared()).toHaveLength(1)
  })

  test("of a type that is never renewed is as it should be", async () => {
    const path = `${quiet.world.policyFolder}/support.yaml`
    writeFileSync(
      path,
      readFileSync(path, "utf8").replaceAll("    deadline: 2h", "    deadline: 2h\n    renew: none"),
    )
    expect(await quiet.world.policies.reload()).toBe("loaded")
    await quiet.start()
    await quiet.pass(660)
    expect(await quiet.raised()).toEqual([])
  })
})

describe("a task whose agent collects its tokens", () => {
  const { publicJwk } = importSigningKey(generatePrivateJwk("ES256"))
  const authenticate = `authenticate: [{ private_key_jwt: { jwks: ${JSON.stringify({ keys: [publicJwk] })} } }]`
  const awaited = { deliver: "agent" }
  const collect = async (taskId: string) =>
    expect(await quiet.world.tasks.collect("triage-bot", taskId, {})).toHaveProperty("tokens")

  beforeEach(async () => {
    const path = `${quiet.world.policyFolder}/support.yaml`
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace("  triage-bot:\n", `  triage-bot:\n    ${authenticate}\n`),
    )
    expect(await quiet.world.policies.reload()).toBe("loaded")
    await quiet.pass(45)
  })

  test("and never does is told within a minute after they would have run out, and over when it does", async () => {
    const began = toInstant(quiet.world.clock.now())
    const task = await quiet.start(awaited)
    await quiet.pass(615)
    expect(await quiet.raised()).toEqual([])
    await quiet.pass(30)
    const who = {
      task_id: task.taskId,
      agent: "triage-bot",
      instance: "pod-1",
      orchestrator: "support-orchestrator",
      code: "task_uncollected",
      body: { since: began, type: "triage-ticket" },
    }
    expect(await quiet.entries("alarm.raised")).toMatchObject([who])
    quiet.watch = quiet.newWatch()
    await quiet.pass(60)
    expect(await quiet.raised()).toHaveLength(1)
    await collect(task.taskId)
    await quiet.pass(5)
    expect(await quiet.entries("alarm.cleared")).toMatchObject([who])
  })

  test("and does, or is ended before, is as it should be; so is one that was answered with tokens", async () => {
    const { taskId } = await quiet.start(awaited)
    await quiet.pass(600)
    await collect(taskId)
    const other = await quiet.start(awaited)
    await quiet.world.tasks.change("support-orchestrator", other.taskId, "cancel")
    await quiet.pass(555)
    expect(await quiet.raised()).toEqual([])
    await quiet.start()
    await quiet.pass(660)
    const codes = (await quiet.entries("alarm.raised")).map(({ code }) => code)
    expect(codes).toEqual(["task_unrenewed", "task_unrenewed"])
  })

  test("is over when it ends, with nothing collected", async () => {
    const { taskId } = await quiet.start(awaited)
    await quiet.pass(660)
    expect(await quiet.raised()).toHaveLength(1)
    await quiet.world.tasks.change("support-orchestrator", taskId, "cancel")
    await quiet.pass(5)
    expect(await quiet.cleared()).toMatchObject([{ code: "task_uncollected" }])
  })
})

describe("an agent that gets only refusals", () => {
  const refusedAgent = { agent: "triage-bot", instance: "pod-1", code: "agent_refused" }

  test("at APIs is told with the code, and over once it is allowed something", async () => {
    const task = await quiet.start()
    await quiet.verifier.report([quiet.useOf(task, "refused"), quiet.useOf(task, "refused")])
    await quiet.pass(60, () => quiet.verifier.report())
    expect(await quiet.raised()).toEqual([])
    await quiet.verifier.report([
      quiet.useOf(task, "refused"),
      quiet.useOf(task, "refused"),
      quiet.useOf(task, "refused"),
    ])
    await quiet.pass(5)
    const body = { side: "api", refusals: 5, last_code: "operation_not_granted" }
    expect(await quiet.entries("alarm.raised")).toMatchObject([{ ...refusedAgent, body }])
    await quiet.verifier.report([quiet.useOf(task, "refused")])
    await quiet.pass(30, () => quiet.verifier.report())
    expect(await quiet.raised()).toHaveLength(1)
    await quiet.verifier.report([quiet.useOf(task, "allowed")])
    await quiet.pass(5)
    expect(await quiet.entries("alarm.cleared")).toMatchObject([refusedAgent])
  })

  test("by the issuer is told as well, and over when it stops asking", async () => {
    for (let index = 0; index < 5; index++) await quiet.fail()
    await quiet.pass(5)
    expect(await quiet.entries("alarm.raised")).toMatchObject([{ ...refusedAgent, body: { side: "issuer" } }])
    await quiet.pass(290)
    expect(await quiet.cleared()).toEqual([])
    await quiet.pass(15)
    expect(await quiet.cleared()).toHaveLength(1)
  })

  test("among things that are allowed is refused now and then: no alarm", async () => {
    const task = await quiet.start()
    for (let index = 0; index < 10; index++)
      await quiet.verifier.report([
        quiet.useOf(task, "refused"),
        quiet.useOf(task, index % 3 === 0 ? "allowed" : "refused"),
      ])
    await quiet.pass(60, () =>
      quiet.verifier.report([quiet.useOf(task, "allowed"), quiet.useOf(task, "refused")]),
    )
    expect(await quiet.raised()).toEqual([])
  })
})

test("F14 a key in the hands of two agents is told, and over when one of them has ended", async () => {
  const dpopJkt = "A".repeat(43)
  await quiet.pass(5)
  await quiet.start({ dpopJkt, agent: { id: "triage-bot", instance: "pod-1" } })
  await quiet.start({ dpopJkt, agent: { id: "triage-bot", instance: "pod-2" } })
  await quiet.pass(5)
  expect(await quiet.raised()).toEqual([])
  const other = { type: "summarize-ticket", agent: { id: "summarizer", instance: "pod-1" }, dpopJkt }
  const { taskId } = await quiet.start(other)
  await quiet.pass(5)
  const body = { jkt: dpopJkt, agents: ["summarizer", "triage-bot"] }
  expect(await quiet.entries("alarm.raised")).toMatchObject([{ code: "key_shared", body }])
  await quiet.world.tasks.change("support-orchestrator", taskId, "complete")
  await quiet.pass(5)
  expect(await quiet.cleared()).toMatchObject([{ code: "key_shared" }])
})
