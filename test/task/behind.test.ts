// Several issuers have a clock each, and a transaction waits for its turn: what ends tokens may be decided by an earlier time
// than theirs. Verifiers are told a time that covers all of them all the same.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { createTasks, type Tasks } from "../../src/task/task.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { engineBefore } from "../support/crew-world.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

const ORCHESTRATOR = "support-orchestrator"
const BEHIND_MILLISECONDS = 2000

let world: World
let taskId: string
/** Of an issuer on the same database. */
let behind: Tasks
/** Takes place once, when that issuer has decided and before it writes. */
let between: (() => Promise<unknown>) | undefined

beforeEach(async () => {
  world = await createWorld()
  const clock = { ...world.clock, now: () => world.clock.now() - BEHIND_MILLISECONDS }
  const ledger = await createLedger({ engine: world.engine, names: world.names, clock })
  world.clock.advance(60_000)
  between = undefined
  behind = createTasks({
    ...world,
    ledger,
    clock,
    engine: engineBefore(world, () => between?.()),
  })
})
afterEach(async () => {
  await world.leave()
})

type Answered<T> = Exclude<T, Refusal>
function answered<T>(answer: T): Answered<T> {
  if (answer instanceof Refusal) throw new Error(`refused: ${answer.code} ${answer.reason}`)
  return answer as Answered<T>
}

interface Tokens {
  readonly tokens: readonly { readonly accessToken: string }[]
}
function iatOf({ tokens }: Tokens): number {
  const opened = openTaskToken(tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
  if (!("token" in opened)) throw new Error("not a token of ours")
  return opened.token.iat
}

const start = async () => answered(await world.tasks.start(ORCHESTRATOR, SUPPORT_START))
const feed = async () => (await world.revocations.feed("tickets", 0, 100)).items

describe("what an issuer ends whose clock is behind the one that issued", () => {
  test.each(["pause", "complete", "fail", "cancel"] as const)(
    "by a %s is covered by what is told",
    async (to) => {
      const started = await start()
      answered(await behind.change(ORCHESTRATOR, started.taskId, to))
      expect(await feed()).toMatchObject([{ kind: "task", before: iatOf(started) }])
    },
  )

  test("by a takeover is covered, and what is issued instead is not", async () => {
    const started = await start()
    const taken = answered(await behind.renew(ORCHESTRATOR, started.taskId, { instance: "pod-2" }))
    expect(await feed()).toMatchObject([{ kind: "task", before: iatOf(started) }])
    expect(iatOf(taken)).toBeGreaterThan(iatOf(started))
  })

  test.each([
    ["pause", () => behind.change(ORCHESTRATOR, taskId, "pause")],
    ["completion", () => behind.change(ORCHESTRATOR, taskId, "complete")],
    ["takeover", () => behind.renew(ORCHESTRATOR, taskId, { instance: "pod-2" })],
  ])("by a %s is covered, though it was issued when that had been decided", async (_, end) => {
    ;({ taskId } = await start())
    let renewed: Tokens = { tokens: [] }
    between = async () => {
      world.clock.advance(1000)
      renewed = answered(await world.tasks.renew(ORCHESTRATOR, taskId, {}))
    }
    const { tokens } = answered(await end())
    expect(await feed()).toMatchObject([{ kind: "task", before: iatOf(renewed) }])
    if (tokens.length > 0) expect(iatOf({ tokens })).toBeGreaterThan(iatOf(renewed))
  })

  test("by a pause is not covered again once it is resumed", async () => {
    const started = await start()
    answered(await behind.change(ORCHESTRATOR, started.taskId, "pause"))
    const resumed = answered(await behind.change(ORCHESTRATOR, started.taskId, "resume"))
    expect(iatOf(resumed)).toBeGreaterThan(iatOf(started))
  })
})
