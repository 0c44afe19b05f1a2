// Whatever becomes of the batches of an instance on their way, and whatever its key signs beside them: each deviation is an
// entry, none is told of where there is none, no use that came is lost, and `ledger verify` agrees with what is told.
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { Refusal } from "../../src/errors.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createReporter, type Made, type Reporter, SOME_DIGEST, useOf } from "../support/chain-reporter.ts"
import { expectedOf } from "../support/whole-reports.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

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

const usesIn = (count: number) => Array.from({ length: count }, () => useOf(world, token))

/** What the instance's key signed: its chain, and what it says beside it. */
const history = fc.record({
  chain: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 8 }),
  forged: fc.array(
    fc.record({
      sequence: fc.integer({ min: 1, max: 9 }),
      after: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined }),
      uses: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 2 },
  ),
})

function signed(
  reporter: Reporter,
  { chain, forged }: typeof history extends fc.Arbitrary<infer T> ? T : never,
) {
  const made = chain.map((uses) => reporter.next({ uses: usesIn(uses) }))
  const beside = forged.map(({ sequence, after, uses }) => {
    const previous = after === undefined ? SOME_DIGEST : (made[after - 1]?.digest ?? null)
    return reporter.make({ sequence, previous, uses: usesIn(uses), cursor: 1 })
  })
  return [...made, ...beside]
}

async function play(reporter: Reporter, brought: readonly Made[]) {
  world.clock.advance(10)
  const from = world.clock.now()
  const answers: string[] = []
  for (const one of brought) {
    const taken = await reporter.bring(one)
    answers.push(taken instanceof Refusal ? taken.code : "taken")
  }
  const told = async (kind: "verifier.gap" | "alarm.raised" | "use.allowed") =>
    (await world.ledger.read({ kind, from, limit: 1000 })).entries
  const [seen] = await world.verifiers.list()
  return {
    answers,
    entries: (await told("verifier.gap")).map(({ body }) => {
      const what = body?.closed === true ? "closed" : body?.why
      return `${what} ${body?.from}-${body?.to}`
    }),
    alarms: (await told("alarm.raised")).map(({ code, body }) => [code, body?.sequence]),
    uses: (await told("use.allowed")).length,
    missing: (seen?.missing ?? [])
      .filter(({ why }) => why === "missing")
      .flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_each, index) => from + index))
      .sort((a, b) => a - b),
    complete: seen?.complete,
  }
}

async function verified() {
  await world.sequence.advance()
  return (await verifyLedger({ source: await databaseSource(world.engine) })).verdict
}

test("H14 every batch that is lost, late, repeated or forged is told of, and nothing else is", async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.array(fc.nat(), { minLength: 1, maxLength: 14 }), async (made, order) => {
      const reporter = createReporter(world)
      const all = signed(reporter, made)
      const brought = order.flatMap((at) => all[at % all.length] ?? [])
      const expected = expectedOf(brought)
      const found = await play(reporter, brought)
      const { answers, entries, uses, missing } = expected
      expect(found).toMatchObject({ answers, entries, uses, missing })
      expect(found.alarms).toEqual(expected.conflicts.map((sequence) => ["batch_conflict", sequence]))
    }),
    { numRuns: 60 },
  )
  expect(await verified()).toBe("verified")
})

test("H14 what comes in order, however often, is complete and nothing is told of it", async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 8 }),
      async (made, times) => {
        const reporter = createReporter(world)
        const chain = signed(reporter, { ...made, forged: [] })
        const brought = chain.flatMap((one, at) => Array.from({ length: times[at] ?? 1 }, () => one))
        const nothing = { entries: [], alarms: [], missing: [], complete: true }
        expect(await play(reporter, brought)).toMatchObject(nothing)
      },
    ),
    { numRuns: 20 },
  )
  expect(await verified()).toBe("verified")
})
