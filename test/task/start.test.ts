import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { Started, StartRequest } from "../../src/task/start.ts"
import { createTasks } from "../../src/task/task.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createWorld, ISSUER, SUPPORT_START, TICKETS, type World } from "../support/world.ts"

let world: World

beforeEach(async () => {
  world = await createWorld()
})

afterEach(async () => {
  await world.leave()
})

const ORCHESTRATOR = "support-orchestrator"

async function start(request: Partial<StartRequest> = {}): Promise<Started> {
  const started = await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, ...request })
  if (started instanceof Refusal) throw new Error(`refused: ${started.code} ${started.reason}`)
  return started
}

function claimsOf(text: string | undefined) {
  const opened = openTaskToken(text ?? "", (kid) => world.keyring.keyOf(kid))
  if (!("token" in opened)) throw new Error(`not a task token: ${opened.tag}`)
  return opened.token
}

const kinds = async () => (await world.ledger.read({ limit: 1000 })).entries.map((entry) => entry.kind)

describe("a start", () => {
  test("answers tokens that say exactly what policy grants, with the inputs bound", async () => {
    const started = await start()
    expect(started.tokens).toHaveLength(1)
    const token = claimsOf(started.tokens[0]?.accessToken)
    expect(token).toMatchObject({
      aud: TICKETS,
      clientId: ORCHESTRATOR,
      sub: ORCHESTRATOR,
      txn: started.taskId,
    })
    expect(token.act).toEqual({ agent: "triage-bot", instance: "pod-1" })
    expect(token.exp - token.iat).toBe(600)
    expect(token.grants).toMatchObject([
      {
        operations: ["tickets:read", "tickets:comment"],
        resources: [
          ["tickets", "SUP-1042"],
          ["tickets", "SUP-1042", "comments"],
        ],
      },
    ])
    expect(token.policy).toBe(world.policies.inForce().digest)
  })

  test("is in the ledger with its tokens before it is answered", async () => {
    const started = await start()
    const { entries } = await world.ledger.read({ task: started.taskId })
    expect(entries.map((entry) => entry.kind)).toEqual(["task.started", "token.issued"])
    expect(entries[0]).toMatchObject({
      agent: "triage-bot",
      instance: "pod-1",
      orchestrator: ORCHESTRATOR,
      outcome: "allowed",
      body: { type: "triage-ticket", purpose: "Triage the ticket", inputs: { ticket: "SUP-1042" } },
    })
    expect(entries[1]?.jti).toBe(claimsOf(started.tokens[0]?.accessToken).jti)
  })

  test("signs nothing when the engine can't commit", async () => {
    await world.close()
    await expect(world.tasks.start(ORCHESTRATOR, SUPPORT_START)).rejects.toThrow()
    world = await createWorld({ folder: world.folder, keyEncryptionKey: world.keyEncryptionKey })
    expect(await kinds()).not.toContain("task.started")
  })

  test("of a subset gets the subset, and of more is refused whole", async () => {
    const started = await start({ operations: ["tickets:read"] })
    expect(started.tokens[0]?.scope).toBe("tickets:read")
    const refused = await world.tasks.start(ORCHESTRATOR, {
      ...SUPPORT_START,
      operations: ["tickets:read", "tickets:delete"],
    })
    expect(refused).toMatchObject({ code: "operation_not_allowed" })
  })

  test("says which of the resources is none, wherever the agent's own token stands among them", async () => {
    const refused = await world.tasks.start(ORCHESTRATOR, {
      ...SUPPORT_START,
      resources: [ISSUER, "https://other.example", TICKETS],
    })
    expect(refused).toMatchObject({ code: "api_not_allowed", errors: [{ pointer: "/resources/1" }] })
  })

  test.each([
    ["another orchestrator's type", "release-orchestrator", {}],
    ["an unknown type", ORCHESTRATOR, { type: "no-such-task" }],
    ["an agent that the type does not list", ORCHESTRATOR, { agent: { id: "deploy-bot", instance: "x" } }],
  ])("%s is refused alike, and the refusal is in the ledger", async (_name, orchestrator, change) => {
    const refused = await world.tasks.start(orchestrator, { ...SUPPORT_START, ...change })
    expect(refused).toMatchObject({ code: "access_denied" })
    const { entries } = await world.ledger.read({ kind: "task.refused" })
    expect(entries).toMatchObject([{ outcome: "refused", code: "access_denied", orchestrator }])
  })
})

describe("the same reference again", () => {
  test("answers the same task and the recorded claims, signed again", async () => {
    const first = await start({ reference: "run-1" })
    world.clock.advance(30_000)
    const again = await start({ reference: "run-1" })
    expect(again).toMatchObject({ created: false, taskId: first.taskId })
    expect(claimsOf(again.tokens[0]?.accessToken)).toEqual(claimsOf(first.tokens[0]?.accessToken))
    expect(again.tokens[0]?.expiresIn).toBe((first.tokens[0]?.expiresIn ?? 0) - 30)
    expect((await kinds()).filter((kind) => kind === "task.started")).toHaveLength(1)
  })

  test("started at the same time is one task", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => start({ reference: "run-1" })))
    expect(new Set(all.map((one) => one.taskId)).size).toBe(1)
    expect(all.filter((one) => one.created)).toHaveLength(1)
    expect((await kinds()).filter((kind) => kind === "task.started")).toHaveLength(1)
  })

  test.each<[string, Partial<StartRequest>]>([
    ["type", { type: "other" }],
    ["agent", { agent: { id: "summarizer", instance: "pod-1" } }],
    ["purpose", { purpose: "Another" }],
    ["inputs", { inputs: { ticket: "SUP-7" } }],
    ["operations", { operations: ["tickets:read"] }],
    ["resources", { resources: [TICKETS] }],
    ["delivery", { deliver: "agent" }],
  ])("with another request is a conflict: %s", async (_what, changes) => {
    await start({ reference: "run-1" })
    const other = await world.tasks.start(ORCHESTRATOR, {
      ...SUPPORT_START,
      reference: "run-1",
      ...changes,
    })
    expect(other).toMatchObject({ code: "reference_conflict" })
  })

  test("is the same in whatever order it names operations, and however often", async () => {
    const { taskId } = await start({ reference: "run-1", operations: ["tickets:read", "tickets:comment"] })
    const operations = ["tickets:comment", "tickets:read", "tickets:comment"]
    expect(await start({ reference: "run-1", operations })).toMatchObject({ created: false, taskId })
  })

  test("of a bound task is told of with the API of each token, and with none of the agent's own", async () => {
    await start({ reference: "run-1", dpopJkt: "A".repeat(42).concat("E") })
    const { entries } = await world.ledger.read({ kind: "token.issued" })
    expect(entries.map(({ api }) => api)).toEqual(["tickets", undefined])
  })

  test("answers no token that has run out meanwhile", async () => {
    const { taskId } = await start({ reference: "run-1" })
    world.clock.advance(601_000)
    expect(await start({ reference: "run-1" })).toMatchObject({ created: false, taskId, tokens: [] })
  })

  test("of a restarted agent takes the task over: earlier tokens end, the new ones are later", async () => {
    const first = await start({ reference: "run-1" })
    const taken = await start({ reference: "run-1", agent: { id: "triage-bot", instance: "pod-2" } })
    const [before, after] = [claimsOf(first.tokens[0]?.accessToken), claimsOf(taken.tokens[0]?.accessToken)]
    expect(after.act.instance).toBe("pod-2")
    const { items } = await world.revocations.feed("tickets", 0, 100)
    expect(items).toMatchObject([{ kind: "task", value: first.taskId, code: "token_revoked" }])
    expect(before.iat <= (items[0]?.before ?? 0) && after.iat > (items[0]?.before ?? 0)).toBe(true)
  })

  test("of a takeover answers what the takeover did, and nothing that was minted since", async () => {
    await start({ reference: "run-1" })
    const taking = { reference: "run-1", agent: { id: "triage-bot", instance: "pod-2" } }
    const taken = await start(taking)
    world.clock.advance(30_000)
    await world.tasks.renew(ORCHESTRATOR, taken.taskId, {})
    const again = await start(taking)
    const all = ({ tokens }: Started) => tokens.map(({ accessToken }) => claimsOf(accessToken))
    expect(all(again)).toEqual(all(taken))
    expect(again.tokens[0]?.expiresIn).toBe((taken.tokens[0]?.expiresIn ?? 0) - 30)
    const back = await start({ reference: "run-1" })
    expect(all(back)).toMatchObject([{ act: { instance: "pod-1" } }])
    expect(all(await start({ reference: "run-1" }))).toEqual(all(back))
  })

  test("of a takeover that is refused is written down once", async () => {
    const jkt = "A".repeat(42).concat("E")
    await start({ reference: "run-1", dpopJkt: jkt })
    const request = { ...SUPPORT_START, reference: "run-1", agent: { id: "triage-bot", instance: "pod-2" } }
    expect(await world.tasks.start(ORCHESTRATOR, request)).toMatchObject({ code: "key_required" })
    const { entries } = await world.ledger.read({ outcome: "refused" })
    expect(entries.map((entry) => entry.kind)).toEqual(["task.refused"])
  })

  test("I26 that can't be signed again is no answer without tokens", async () => {
    await start({ reference: "run-1" })
    const broken = {
      ...world.keyring.current(),
      sign: () => {
        throw new Error("the key is out of reach")
      },
    }
    const tasks = createTasks({
      ...world,
      issuer: ISSUER,
      keyring: { ...world.keyring, signing: () => broken },
    })
    const again = await tasks.start(ORCHESTRATOR, { ...SUPPORT_START, reference: "run-1" })
    expect(again).toMatchObject({ code: "temporarily_unavailable" })
    expect(await kinds()).toContain("token.unsigned")
  })

  test("of an ended task says so", async () => {
    const first = await start({ reference: "run-1" })
    await world.tasks.change(ORCHESTRATOR, first.taskId, "complete")
    const again = await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, reference: "run-1" })
    expect(again).toMatchObject({ code: "task_ended" })
  })

  test("of another orchestrator is another task", async () => {
    const first = await start({ reference: "run-1" })
    const other = await world.tasks.start("release-orchestrator", { ...SUPPORT_START, reference: "run-1" })
    expect(other).toMatchObject({ code: "access_denied" })
    expect((await world.ledger.read({ task: first.taskId })).entries).toHaveLength(2)
  })
})

describe("limits", () => {
  test("C11 active_tasks holds under a race, and an ended task makes room", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, () => world.tasks.start(ORCHESTRATOR, SUPPORT_START)),
    )
    const started = outcomes.filter((one): one is Started => !(one instanceof Refusal))
    expect(started).toHaveLength(50)
    const refused = outcomes.find((one) => one instanceof Refusal)
    expect(refused).toMatchObject({ code: "limit_reached", retryAfterSeconds: 30 })
    await world.tasks.change(ORCHESTRATOR, started[0]?.taskId ?? "", "complete")
    await start()
  })

  test("C11 starts_per_hour counts the last sixty minutes", async () => {
    for (let count = 0; count < 200; count++) {
      const { taskId } = await start()
      await world.tasks.change(ORCHESTRATOR, taskId, "complete")
    }
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "limit_reached" })
    world.clock.advance(60 * 60_000)
    await start()
  })
})

describe("the clock", () => {
  test("a step of more than five seconds stops minting until it is steady again", async () => {
    await start()
    world.clock.step(6000)
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "clock_stepped" })
    expect(world.tasks.unready()).toMatchObject({ code: "clock_stepped" })
    world.clock.step(-6000)
    await start()
  })
})
