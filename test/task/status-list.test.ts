// What verifiers that are not ours are told of tokens, held against introspection and the feed: three ways to ask, one
// answer, whatever ends a token.
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import type { Change } from "../../src/task/finish.ts"
import type { MintedToken } from "../../src/task/mint.ts"
import type { Renewed } from "../../src/task/renew.ts"
import { createStatusLists } from "../../src/task/status-list.ts"
import { toEpochSeconds } from "../../src/time.ts"
import type { RevocationKind } from "../../src/token/revocation.ts"
import { revocableNames } from "../../src/token/revocation.ts"
import { CRM, DOCS, foreignPolicy, LOOK, RUNNER } from "../support/foreign.ts"
import { allowed, createOpener } from "../support/genuine.ts"
import { readStatusList, statusClaimOf } from "../support/status-reader.ts"
import { createWorld, ISSUER, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld({ files: { "policy.yaml": foreignPolicy() } })
})
afterEach(async () => {
  await world.leave()
})

const STAFF = { clientId: "audit", kind: "staff" } as const

const genuine = createOpener((kid) => world.keyring.keyOf(kid))

function tokenFor(tokens: readonly MintedToken[], api: string): string {
  const text = tokens.find((one) => one.resource === api)?.accessToken ?? ""
  return genuine(text) ? text : ""
}

async function start(): Promise<{ readonly taskId: string; readonly crm: string; readonly docs: string }> {
  const { taskId, tokens } = allowed(await world.tasks.start(RUNNER, LOOK))
  return { taskId, crm: tokenFor(tokens, CRM), docs: tokenFor(tokens, DOCS) }
}

const change = async (taskId: string, to: Change) => allowed(await world.tasks.change(RUNNER, taskId, to))
const renew = async (taskId: string, request = {}): Promise<Renewed> =>
  allowed(await world.tasks.renew(RUNNER, taskId, request))
const revoke = async (kind: RevocationKind, value: string) =>
  allowed(await world.revocations.revoke("operations", { kind, value, reason: "leak" }))

/** What a list of this instant says of a token. */
async function statusOf(token: string): Promise<number> {
  const { idx, uri } = statusClaimOf(token)
  const id = uri.slice(uri.lastIndexOf("/") + 1)
  const list = allowed(await createStatusLists(world).read(id))
  const expected = { keys: world.keyring.jwks(), uri, now: world.clock.now() }
  return (await readStatusList(list?.jwt ?? "", expected)).statusAt(idx)
}

/** A token by a key that was revoked is no token of ours any more. */
const isActive = async (token: string) => (await world.introspections.find(STAFF, token))?.active ?? false

/** Whether a verifier that follows the feed of the API would still take it. */
async function passesFeed(text: string): Promise<boolean> {
  const { token, kid } = genuine(text)
  const { items } = await world.revocations.feed("crm", 0, 10_000)
  return !items.some(
    ({ kind, value, before }) => token.iat <= before && revocableNames(token, kid, kind).includes(value),
  )
}

type Started = Awaited<ReturnType<typeof start>>
const jti = (text: string) => genuine(text).token.jti

const HAPPENINGS: readonly (readonly [what: string, status: number, happen: (of: Started) => unknown])[] = [
  ["nothing happens", 0, () => undefined],
  ["it is renewed", 0, ({ taskId }) => renew(taskId)],
  ["the task's other token is revoked", 0, ({ docs }) => revoke("token", jti(docs))],
  ["the token is revoked", 1, ({ crm }) => revoke("token", jti(crm))],
  ["its task is revoked", 1, ({ taskId }) => revoke("task", taskId)],
  ["its instance is locked", 1, () => revoke("instance", "bot/pod-1")],
  ["its agent is locked", 1, () => revoke("agent", "bot")],
  ["its orchestrator is locked", 1, () => revoke("orchestrator", RUNNER)],
  ["its subject is locked", 1, () => revoke("subject", RUNNER)],
  ["its API is locked", 1, () => revoke("api", "crm")],
  ["another API of the task is locked", 1, () => revoke("api", "docs")],
  ["its key is revoked", 1, () => revoke("key", world.keyring.current().kid)],
  ["a lock was lifted again", 1, lockAndLift],
  ["another instance takes over", 1, ({ taskId }) => renew(taskId, { instance: "pod-2" })],
  ["the task is completed", 1, ({ taskId }) => change(taskId, "complete")],
  ["the task fails", 1, ({ taskId }) => change(taskId, "fail")],
  ["the task is canceled", 1, ({ taskId }) => change(taskId, "cancel")],
  ["the task is paused", 2, ({ taskId }) => change(taskId, "pause")],
  ["the task is paused and goes on", 1, (of) => inTurn(of, "pause", "resume")],
  [
    "the task is paused again, which it is not that ended it",
    1,
    (of) => inTurn(of, "pause", "resume", "pause"),
  ],
  [
    "the token is revoked and then the task is paused",
    1,
    (of) => revoke("token", jti(of.crm)).then(() => inTurn(of, "pause")),
  ],
  ["the task is paused and then ends", 1, (of) => inTurn(of, "pause", "complete")],
  [
    "the task is paused and then revoked",
    1,
    (of) => inTurn(of, "pause").then(() => revoke("task", of.taskId)),
  ],
]

async function inTurn({ taskId }: Started, ...changes: Change[]): Promise<void> {
  for (const to of changes) {
    world.clock.advance(1000)
    await change(taskId, to)
  }
}

async function lockAndLift(): Promise<void> {
  const { id } = await revoke("agent", "bot")
  world.clock.advance(1000)
  allowed(await world.revocations.lift("operations", id))
}

describe("status list, introspection and feed agree", () => {
  test.each(HAPPENINGS)("when %s", async (_what, status, happen) => {
    const started = await start()
    expect(await statusOf(started.crm)).toBe(0)
    await happen(started)
    expect(await statusOf(started.crm)).toBe(status)
    expect(await isActive(started.crm)).toBe(status === 0)
    expect(await passesFeed(started.crm)).toBe(status === 0)
  })

  test("when a token is minted in the second in which the key was revoked: it stands, at all three", async () => {
    const before = await start()
    await revoke("key", world.keyring.current().kid)
    const [renewed, other] = [tokenFor((await renew(before.taskId)).tokens, CRM), (await start()).crm]
    expect(genuine(renewed).token.iat).toBe(genuine(before.crm).token.iat)
    for (const [token, stands] of [
      [before.crm, false],
      [renewed, true],
      [other, true],
    ] as const)
      expect([(await statusOf(token)) === 0, await isActive(token), await passesFeed(token)]).toEqual([
        stands,
        stands,
        stands,
      ])
  })

  test("of other tokens nothing changes, and what a resumption or a takeover mints is valid", async () => {
    const [one, other] = [await start(), await start()]
    await change(one.taskId, "pause")
    const resumed = tokenFor((await change(one.taskId, "resume")).tokens, CRM)
    const taken = tokenFor((await renew(one.taskId, { instance: "pod-2" })).tokens, CRM)
    const statuses = await Promise.all([one.crm, resumed, taken, other.crm].map(statusOf))
    expect(statuses).toEqual([1, 1, 0, 0])
    expect(await Promise.all([resumed, taken, other.crm].map(isActive))).toEqual([false, true, true])
  })

  test("an ended token is told of until a minute after it would have run out, and then no more", async () => {
    const { crm, taskId } = await start()
    await change(taskId, "complete")
    world.clock.advance(600_000 + 59_000)
    expect([await statusOf(crm), await isActive(crm)]).toEqual([1, false])
    world.clock.advance(1000)
    expect([await statusOf(crm), await isActive(crm)]).toEqual([0, false])
  })

  test("after a restart they say the same", async () => {
    const [running, done] = [await start(), await start()]
    await change(done.taskId, "complete")
    await world.close()
    world = await createWorld({ folder: world.folder, keyEncryptionKey: world.keyEncryptionKey })
    expect([await statusOf(running.crm), await statusOf(done.crm)]).toEqual([0, 1])
    const fresh = tokenFor((await renew(running.taskId)).tokens, CRM)
    expect(statusClaimOf(fresh).uri).toBe(statusClaimOf(running.crm).uri)
  })
})

/** One thing that may happen to a task; a refusal is fine. */
const STEPS: Readonly<Record<string, (of: Lived) => Promise<unknown>>> = {
  renew: (of) => mint(of, world.tasks.renew(RUNNER, of.taskId, {})),
  "take over": (of) =>
    mint(of, world.tasks.renew(RUNNER, of.taskId, { instance: `pod-${of.tokens.length}` })),
  pause: (of) => world.tasks.change(RUNNER, of.taskId, "pause"),
  resume: (of) => mint(of, world.tasks.change(RUNNER, of.taskId, "resume")),
  complete: (of) => world.tasks.change(RUNNER, of.taskId, "complete"),
  "revoke the first": (of) => revoke("token", jti(of.tokens[0] ?? "")),
  "revoke the last": (of) => revoke("token", jti(of.tokens.at(-1) ?? "")),
  "revoke the key": () => revoke("key", world.keyring.current().kid),
  "revoke the task": (of) => revoke("task", of.taskId),
  "wait five minutes": async () => world.clock.advance(300_000),
}

interface Lived {
  readonly taskId: string
  readonly tokens: string[]
}

async function mint(
  { tokens }: Lived,
  asked: Promise<{ readonly tokens: readonly MintedToken[] } | Refusal>,
): Promise<void> {
  const answer = await asked
  if (!(answer instanceof Refusal)) tokens.push(...answer.tokens.flatMap(ofCrm))
}

const ofCrm = ({ resource, accessToken }: MintedToken) =>
  resource === CRM && genuine(accessToken) ? [accessToken] : []

test("whatever happens in whatever order, no two of them disagree about a token that has not run out", async () => {
  const lives = fc.array(fc.constantFrom(...Object.keys(STEPS)), { minLength: 2, maxLength: 8 })
  const one = fc.asyncProperty(lives, async (steps) => {
    const { taskId, crm } = await start()
    const lived = { taskId, tokens: [crm] }
    for (const step of steps) {
      await STEPS[step]?.(lived)
      world.clock.advance(1000)
    }
    for (const token of lived.tokens) {
      if (genuine(token).token.exp <= toEpochSeconds(world.clock.now())) continue
      const stands = (await statusOf(token)) === 0
      expect([await isActive(token), await passesFeed(token)]).toEqual([stands, stands])
    }
  })
  await fc.assert(one, { numRuns: 30 })
})

/** Lists of the world's data, signed by a key that counts. */
function countingLists() {
  const counted = { signatures: 0, failing: false }
  const key = world.keyring.current()
  const signing = {
    ...key,
    sign: (input: Uint8Array) => {
      counted.signatures += 1
      return key.sign(input)
    },
  }
  const engine: World["engine"] = {
    ...world.engine,
    query: async (statement, values) => {
      if (counted.failing) throw new Unavailable("the disk is gone")
      return world.engine.query(statement, values)
    },
  }
  const lists = createStatusLists({
    ...world,
    engine,
    issuer: ISSUER,
    keyring: { ...world.keyring, current: () => signing },
  })
  return { lists, counted }
}

const idIn = (token: string) => statusClaimOf(token).uri.slice(`${ISSUER}/status-lists/`.length)

describe("whoever asks, and however often", () => {
  test("a list is signed once in five seconds, and says how long it is still fresh", async () => {
    const id = idIn((await start()).crm)
    const { lists, counted } = countingLists()
    const first = await Promise.all(Array.from({ length: 50 }, () => lists.read(id)))
    expect([new Set(first.map((one) => allowed(one)?.jwt)).size, counted.signatures]).toEqual([1, 1])
    world.clock.advance(3100)
    expect(await lists.read(id)).toEqual({ jwt: allowed(first[0])?.jwt, freshForSeconds: 2 })
    world.clock.advance(1900)
    const later = allowed(await lists.read(id))
    expect([later?.jwt === allowed(first[0])?.jwt, later?.freshForSeconds]).toEqual([false, 5])
    expect(counted.signatures).toBe(2)
  })

  test("nothing is signed for lists that there are not", async () => {
    const { lists, counted } = countingLists()
    for (const id of ["", "x", "A".repeat(22), "A".repeat(23), "../../openapi.json"])
      expect(await lists.read(id)).toBeUndefined()
    expect(counted.signatures).toBe(0)
  })

  test("a fault is told and not kept", async () => {
    const id = idIn((await start()).crm)
    const { lists, counted } = countingLists()
    counted.failing = true
    await expect(lists.read(id)).rejects.toThrow(Unavailable)
    counted.failing = false
    expect(await lists.read(id)).toMatchObject({ freshForSeconds: 5 })
  })

  test("a clock that stepped signs none", async () => {
    const id = idIn((await start()).crm)
    const { lists, counted } = countingLists()
    world.clock.step(3600_000)
    expect(await lists.read(id)).toMatchObject({ code: "clock_stepped" })
    world.clock.step(-3600_000)
    expect(await lists.read(id)).toMatchObject({ freshForSeconds: 5 })
    expect(counted.signatures).toBe(1)
  })
})
