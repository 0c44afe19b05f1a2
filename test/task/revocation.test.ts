import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import type { RevokeRequest } from "../../src/task/revocation.ts"
import { insertRevocation, setLock } from "../../src/task/revocation-statements.ts"
import type { Revocation } from "../../src/task/revocation-view.ts"
import type { Started, StartRequest } from "../../src/task/start.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World

beforeEach(async () => {
  world = await createWorld()
})

afterEach(async () => {
  await world.leave()
})

const ORCHESTRATOR = "support-orchestrator"
const MINUTE = 60_000

async function start(request: Partial<StartRequest> = {}): Promise<Started> {
  const started = await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, ...request })
  if (started instanceof Refusal) throw new Error(`refused: ${started.code} ${started.reason}`)
  return started
}

async function revoke(request: Omit<RevokeRequest, "reason">): Promise<Revocation> {
  const revoked = await world.revocations.revoke("operations-team", { ...request, reason: "leak" })
  if (revoked instanceof Refusal) throw new Error(`refused: ${revoked.code}`)
  return revoked
}

const jtiOf = (started: Started) => {
  const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
  return "token" in opened ? opened.token.jti : ""
}

const stateOf = async (taskId: string) => {
  const shown = await world.tasks.show({ clientId: ORCHESTRATOR, staff: true }, taskId)
  return shown instanceof Refusal ? shown.code : shown.state
}

const feed = async () => (await world.revocations.feed("tickets", 0, 100)).items

describe("a revocation", () => {
  test("of a token ends that token and leaves its task", async () => {
    const [one, other] = [await start(), await start()]
    const revoked = await revoke({ kind: "token", value: jtiOf(one) })
    expect(revoked).toMatchObject({ tokensEnded: 1, lock: false })
    expect(await feed()).toMatchObject([{ kind: "token", value: jtiOf(one), code: "token_revoked" }])
    expect(await stateOf(one.taskId)).toBe("active")
    expect(await stateOf(other.taskId)).toBe("active")
  })

  test.each([
    ["task", (started: Started) => started.taskId, false],
    ["instance", () => "triage-bot/pod-1", true],
    ["agent", () => "triage-bot", true],
    ["orchestrator", () => ORCHESTRATOR, true],
    ["subject", () => ORCHESTRATOR, true],
    ["api", () => "tickets", true],
  ] as const)("of a %s ends its tokens and its tasks", async (kind, value, lock) => {
    const started = await start()
    const revoked = await revoke({ kind, value: value(started) })
    expect(revoked).toMatchObject({ tokensEnded: 1, lock })
    expect(await stateOf(started.taskId)).toBe("revoked")
    expect(await feed()).toHaveLength(1)
    const again = await world.tasks.start(ORCHESTRATOR, SUPPORT_START)
    if (lock) expect(again).toMatchObject({ code: "locked" })
    else expect(again).toHaveProperty("taskId")
    const { entries } = await world.ledger.read({ limit: 1000 })
    const kinds = entries.map((entry) => entry.kind)
    expect(kinds.filter((one) => one === "task.revoked")).toHaveLength(1)
    expect(kinds.includes("lock.set")).toBe(lock)
  })

  test("of a key ends every token signed with it", async () => {
    await Promise.all([start(), start()])
    const { kid } = world.keyring.current()
    expect(await revoke({ kind: "key", value: kid })).toMatchObject({ tokensEnded: 2 })
    expect(await feed()).toMatchObject([
      { kind: "key", value: kid, successor: world.keyring.current().thumbprint },
    ])
  })

  test("covers the newest token, also where it is dated a second ahead", async () => {
    const { taskId } = await start()
    const taken = await world.tasks.renew(ORCHESTRATOR, taskId, { instance: "pod-2" })
    if (taken instanceof Refusal) throw new Error(taken.reason)
    const revoked = await revoke({ kind: "agent", value: "triage-bot" })
    const opened = openTaskToken(taken.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
    expect("token" in opened && opened.token.iat <= revoked.before).toBe(true)
  })

  test("of what nobody knows is written down all the same", async () => {
    expect(await revoke({ kind: "token", value: "tok_0190b8a2-7c5e-7d4c-8e1f-123456789abc" })).toMatchObject({
      tokensEnded: 0,
    })
    expect((await world.ledger.read({ kind: "token.revoked" })).entries).toHaveLength(1)
  })

  test("tells one API nothing of another's tokens", async () => {
    await start()
    await revoke({ kind: "agent", value: "triage-bot" })
    expect(await world.revocations.feed("deployments", 0, 100)).toEqual({ items: [], cursor: 0 })
  })

  test("never shows a verifier a cursor that this database has not reached", async () => {
    await start()
    await revoke({ kind: "agent", value: "triage-bot" })
    const { cursor } = await world.revocations.feed("tickets", 0, 100)
    expect(await world.revocations.feed("tickets", cursor + 50, 100)).toEqual({ items: [], cursor })
  })

  test("races with a hundred starts: nothing minted after it, everything before it ended", async () => {
    const outcomes = await Promise.all([
      ...Array.from({ length: 25 }, () => world.tasks.start(ORCHESTRATOR, SUPPORT_START)),
      revoke({ kind: "agent", value: "triage-bot" }),
      ...Array.from({ length: 25 }, () => world.tasks.start(ORCHESTRATOR, SUPPORT_START)),
    ])
    const started = outcomes.filter((one): one is Started => "created" in one)
    for (const one of started) expect(await stateOf(one.taskId)).toBe("revoked")
    expect(
      outcomes.filter((one) => one instanceof Refusal).every((one) => "code" in one && one.code === "locked"),
    ).toBe(true)
  })
})

describe("an order that would do nothing", () => {
  const HOUR = 3_600_000
  test.each([
    ["an instance without its agent", { kind: "instance", value: "pod-1" }, "/value"],
    ["an instance of nobody", { kind: "instance", value: "/pod-1" }, "/value"],
    ["an agent with a slash", { kind: "instance", value: "triage-bot/" }, "/value"],
    ["an instance of an instance", { kind: "instance", value: "triage-bot/pod-1/pod-2" }, "/value"],
    ["an agent spelled as no policy does", { kind: "instance", value: "Triage Bot/pod-1" }, "/value"],
    ["an instance called an agent", { kind: "agent", value: "triage-bot/pod-1" }, "/value"],
    ["an orchestrator spelled as no policy does", { kind: "orchestrator", value: "Support" }, "/value"],
    ["a task called a token", { kind: "token", value: newId("task") }, "/value"],
    ["a token called a task", { kind: "task", value: newId("tok") }, "/value"],
    ["a delegation by another name", { kind: "delegation", value: "triage-bot/pod-1" }, "/value"],
    ["an id that was cut", { kind: "token", value: newId("tok").slice(0, -1) }, "/value"],
    ["a time of a token", { kind: "token", value: newId("tok"), until: HOUR }, "/until"],
    ["a time of a task", { kind: "task", value: newId("task"), until: HOUR }, "/until"],
    ["a time of a delegation", { kind: "delegation", value: newId("del"), until: HOUR }, "/until"],
    ["a time of a key", { kind: "key", value: "kid-1", until: HOUR }, "/until"],
  ] as const)("%s is refused, and nothing is written down", async (_what, asked, pointer) => {
    const until = "until" in asked ? { until: world.clock.now() + asked.until } : {}
    const request = { ...asked, ...until, reason: "leak" }
    expect(await world.revocations.revoke("operations-team", request)).toMatchObject({
      code: "invalid_request",
      errors: [{ pointer }],
    })
    expect((await world.revocations.page({ limit: 10 })).revocations).toEqual([])
    expect((await world.ledger.read({ kind: "token.revoked" })).entries).toEqual([])
  })
})

describe("a lock", () => {
  test("can be lifted once its second is over, and what is minted then lives", async () => {
    const lock = await revoke({ kind: "agent", value: "triage-bot" })
    expect(await world.revocations.lift("operations-team", lock.id)).toMatchObject({ code: "task_conflict" })
    world.clock.advance(1000)
    expect(await world.revocations.lift("operations-team", lock.id)).toHaveProperty("liftedAt")
    expect(await world.revocations.locks()).toEqual([])
    await start()
    expect((await world.ledger.read({ kind: "lock.lifted" })).entries).toHaveLength(1)
  })

  test("with a time lifts by itself", async () => {
    await revoke({ kind: "agent", value: "triage-bot", until: world.clock.now() + 60_000 })
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "locked" })
    world.clock.advance(60_000)
    expect(await world.revocations.locks()).toEqual([])
    await start()
    await world.revocations.sweep()
    expect((await world.ledger.read({ kind: "lock.lifted" })).entries).toMatchObject([
      { body: { by: "time" } },
    ])
  })

  test.each([
    ["forever, then for a minute", [undefined, MINUTE], 1],
    ["for a minute, then forever", [MINUTE, undefined], 1],
    ["for an hour, then for a minute", [60 * MINUTE, MINUTE], 1],
    ["for a minute, twice, and forever", [MINUTE, MINUTE, undefined], 2],
  ] as const)("holds while any order on the name stands: %s", async (_how, spans, over) => {
    const set = []
    for (const span of spans) {
      const until = span === undefined ? {} : { until: world.clock.now() + span }
      set.push(await revoke({ kind: "instance", value: "triage-bot/pod-1", ...until }))
    }
    expect(await world.revocations.locks()).toHaveLength(spans.length)
    world.clock.advance(MINUTE)
    await world.revocations.sweep()
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "locked" })
    const standing = await world.revocations.locks()
    expect(standing).toHaveLength(spans.length - over)
    const { entries } = await world.ledger.read({ kind: "lock.lifted" })
    const ended = set.map(({ id }) => id).filter((id) => standing.every((one) => one.id !== id))
    const told = entries.map(({ body }) => body)
    expect(told).toHaveLength(over)
    expect(told).toEqual(
      expect.arrayContaining(ended.map((revocation) => expect.objectContaining({ revocation, by: "time" }))),
    )
    for (const { id } of set)
      expect(await world.revocations.show(id)).toMatchObject({
        liftedAt: ended.includes(id) ? world.clock.now() : undefined,
      })
  })

  test.each([
    ["first", 0],
    ["last", 1],
  ])("lifted lets the other order on its name stand, the %s as well", async (_which, place) => {
    const set = [
      await revoke({ kind: "subject", value: ORCHESTRATOR }),
      await revoke({ kind: "subject", value: ORCHESTRATOR }),
    ]
    const [lifted, other] = [set[place]?.id ?? "", set[1 - place]?.id ?? ""]
    world.clock.advance(1000)
    expect(await world.revocations.lift("operations-team", lifted)).toHaveProperty("liftedAt")
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "locked" })
    expect(await world.revocations.locks()).toMatchObject([{ id: other, liftedAt: undefined }])
    await world.revocations.lift("operations-team", other)
    await start()
  })

  test.each([
    ["over", -1],
    ["this instant", 0],
  ])("until a time that is %s is refused, and lifts nothing", async (_how, span) => {
    await revoke({ kind: "agent", value: "triage-bot" })
    const asked = {
      kind: "agent",
      value: "triage-bot",
      until: world.clock.now() + span,
      reason: "x",
    } as const
    expect(await world.revocations.revoke("operations-team", asked)).toMatchObject({
      code: "invalid_request",
      errors: [{ pointer: "/until" }],
    })
    expect(await world.revocations.locks()).toHaveLength(1)
    expect(await world.tasks.start(ORCHESTRATOR, SUPPORT_START)).toMatchObject({ code: "locked" })
  })

  test("that a dead process left half done is finished by the sweep", async () => {
    const { taskId } = await start()
    const id = newId("rev", world.clock.now())
    const at = world.clock.now()
    const lock = {
      id,
      kind: "agent",
      value: "triage-bot",
      agent: "",
      instance: "",
      until: null,
      reason: "leak",
      at,
    }
    const values = {
      ...lock,
      set_by: "operations-team",
      before: toEpochSeconds(at),
      now_seconds: toEpochSeconds(at),
    }
    await world.engine.atomically([
      { statement: insertRevocation, values },
      { statement: setLock, values },
    ])
    expect(await stateOf(taskId)).toBe("active")
    await world.revocations.sweep()
    expect(await stateOf(taskId)).toBe("revoked")
  })
})
