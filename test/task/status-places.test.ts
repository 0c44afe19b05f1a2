// Which place a token gets: at random, never one that somebody has, never one for an API whose verifier is ours.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Duplicate, type Engine, type Step, statement, Unexpected } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import type { MintedToken } from "../../src/task/mint.ts"
import { openStatusPlaces, type StatusPlaces } from "../../src/task/status-places.ts"
import { heldPlaces, statusLists, toldPlaces } from "../../src/task/status-statements.ts"
import { createTasks } from "../../src/task/task.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { LIST_PLACES } from "../../src/token/status.ts"
import type { TaskToken } from "../../src/token/token.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { CRM, DOCS, foreignPolicy, LOOK, RUNNER } from "../support/foreign.ts"
import { createWorld, ISSUER, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld({ files: { "policy.yaml": foreignPolicy() } })
})
afterEach(async () => {
  await world.leave()
})

function allowed<T>(outcome: T | Refusal): T {
  if (outcome instanceof Refusal) throw new Error(`refused: ${outcome.code} ${outcome.reason}`)
  return outcome
}

function tokenFor(tokens: readonly MintedToken[], api: string): TaskToken {
  const text = tokens.find((one) => one.resource === api)?.accessToken ?? ""
  const opened = openTaskToken(text, world.keyring.keyOf)
  if (!("token" in opened)) throw new Error(opened.tag)
  return opened.token
}

const start = async (tasks = world.tasks, changes = {}) =>
  allowed(await tasks.start(RUNNER, { ...LOOK, ...changes }))
const foreignToken = async (tasks = world.tasks) => tokenFor((await start(tasks)).tokens, CRM)
/** A token that has no place. */
const plainToken = async () => tokenFor((await start()).tokens, DOCS)
const held = () => world.engine.query(heldPlaces, { rested: 0 })
const now = () => toEpochSeconds(world.clock.now())

/** Steps that give a token the place of another one. */
function stepsOf(token: TaskToken, place: TaskToken, iat = token.iat): Step[] {
  if (!place.status) throw new Error("it has no place")
  return world.statusPlaces.steps({ jti: token.jti, iat, exp: token.exp, status: place.status })
}

describe("a place", () => {
  test("is claimed by tokens of a foreign API and by no others", async () => {
    const { tokens } = await start()
    expect(tokenFor(tokens, CRM).status).toEqual({
      idx: expect.any(Number),
      uri: expect.stringMatching(/^https:\/\/taskmint\.internal\/status-lists\/[A-Za-z0-9_-]{22}$/),
    })
    expect(tokenFor(tokens, DOCS)).not.toHaveProperty("status")
    expect(await held()).toHaveLength(1)
  })

  test("costs an API whose verifier is ours not a single step", async () => {
    const steps: Step[] = []
    const engine: Engine = {
      query: (one, values) => world.engine.query(one, values),
      atomically: (given) => {
        steps.push(...given)
        return world.engine.atomically(given)
      },
      hearOthers: (listener) => world.engine.hearOthers(listener),
      scrub: () => world.engine.scrub(),
      close: () => world.engine.close(),
      broken: world.engine.broken,
    }
    const statusPlaces: StatusPlaces = {
      draw: () => expect.unreachable("nothing is drawn"),
      steps: () => expect.unreachable("nothing is written"),
      look: () => expect.unreachable("nothing is looked for"),
    }
    await start(createTasks({ ...world, engine, issuer: ISSUER, statusPlaces }), { resources: [DOCS] })
    const names = steps.map((step) => step.statement.name)
    expect(names).toContain("token.insert")
    expect(names.filter((name) => name.includes("status"))).toEqual([])
  })

  test("is written with the token or not at all", async () => {
    const { taskId } = await start()
    const limited = await world.tasks.change(RUNNER, taskId, "complete")
    expect(limited).toMatchObject({ state: "completed" })
    expect(await world.tasks.renew(RUNNER, taskId, {})).toMatchObject({ code: "task_ended" })
    await world.revocations.revoke("operations", { kind: "agent", value: "bot", reason: "leak" })
    expect(await world.tasks.start(RUNNER, LOOK)).toMatchObject({ code: "locked" })
    expect(await held()).toHaveLength(1)
  })

  test("is the same when the same start is answered again, and another at each renewal", async () => {
    const first = await start(world.tasks, { reference: "run-1" })
    const again = await start(world.tasks, { reference: "run-1" })
    expect(tokenFor(again.tokens, CRM)).toEqual(tokenFor(first.tokens, CRM))
    const renewed = allowed(await world.tasks.renew(RUNNER, first.taskId, {}))
    expect(tokenFor(renewed.tokens, CRM).status).not.toEqual(tokenFor(first.tokens, CRM).status)
    expect(await held()).toHaveLength(2)
  })

  test("comes with the next mint when an API becomes foreign", async () => {
    const file = join(world.policyFolder, "policy.yaml")
    writeFileSync(file, foreignPolicy(false))
    expect(await world.policies.reload()).toBe("loaded")
    const { taskId, tokens } = await start()
    expect(tokenFor(tokens, CRM)).not.toHaveProperty("status")
    writeFileSync(file, `# again\n${foreignPolicy()}`)
    expect(await world.policies.reload()).toBe("loaded")
    const renewed = allowed(await world.tasks.renew(RUNNER, taskId, {}))
    expect(tokenFor(renewed.tokens, CRM)).toHaveProperty("status")
  })
})

describe("places tell nothing", () => {
  test("each token has its own, in no order", async () => {
    const tokens = await Promise.all(Array.from({ length: 200 }, () => foreignToken()))
    const places = tokens.flatMap(({ status }) => (status ? [status] : []))
    expect(new Set(places.map(({ idx, uri }) => `${uri}#${idx}`)).size).toBe(200)
    expect(new Set(places.map(({ uri }) => uri)).size).toBe(1)
    const steps = places.slice(1).map(({ idx }, at) => idx - (places[at]?.idx ?? 0))
    // Of a counter all would go up; at random half of them do: 40 is nearly ten standard deviations away.
    const upwards = steps.filter((step) => step > 0).length
    expect(Math.abs(upwards - 100)).toBeLessThan(40)
    expect(Math.max(...places.map(({ idx }) => idx))).toBeGreaterThan(LIST_PLACES / 2)
  })

  test("a further list begins when one is half full, and both are used then", async () => {
    const places = await openStatusPlaces(world.engine, ISSUER, now())
    const life = { iat: now(), exp: now() + 600 }
    const drawn = Array.from({ length: LIST_PLACES }, () => places.draw(life))
    expect(new Set(drawn.map(({ idx, uri }) => `${uri}#${idx}`)).size).toBe(LIST_PLACES)
    const [first, ...others] = [...Map.groupBy(drawn, ({ uri }) => uri).values()].map((of) => of.length)
    expect([first, others]).toEqual([LIST_PLACES / 2, [LIST_PLACES / 2]])
    // All have rested: the two lists that there are have room again.
    const later = { iat: life.exp + 360, exp: life.exp + 960 }
    const again = Array.from({ length: 1000 }, () => places.draw(later))
    expect(new Set(again.map(({ uri }) => uri))).toEqual(new Set(drawn.map(({ uri }) => uri)))
  })
})

describe("a place has one holder", () => {
  test("by the database's key, whatever a process believes", async () => {
    const [one, other] = [await foreignToken(), await plainToken()]
    await expect(world.engine.atomically(stepsOf(other, one))).rejects.toThrow(Unexpected)
    const plain = statement(
      "test.place",
      sql`INSERT INTO status_place (list, idx, token, exp) SELECT list, idx, token, exp FROM status_place LIMIT 1`,
    )
    await expect(world.engine.atomically([{ statement: plain, values: {} }])).rejects.toThrow(Duplicate)
  })

  test("until its token has run out and no list that tells of it can be relied on", async () => {
    const [one, other] = [await foreignToken(), await plainToken()]
    await world.revocations.revoke("operations", { kind: "token", value: one.jti, reason: "leak" })
    const rested = one.exp + 60 + 300
    await expect(world.engine.atomically(stepsOf(other, one, rested - 1))).rejects.toThrow(Unexpected)
    const told = { list: one.status?.uri.split("/").at(-1) ?? "", since_seconds: 0 }
    expect(await world.engine.query(toldPlaces, told)).toEqual([{ idx: one.status?.idx, status: 1 }])
    await world.engine.atomically(stepsOf(other, one, rested))
    expect(await world.engine.query(toldPlaces, told)).toEqual([])
    expect((await held()).filter(({ idx }) => idx === one.status?.idx)).toHaveLength(1)
  })

  test("and a mint that was given a held one is decided again, by what is held then", async () => {
    const first = await foreignToken()
    let looks = 0
    const drawn: unknown[] = []
    const statusPlaces: StatusPlaces = {
      draw: (life) => {
        const place = drawn.length === 0 && first.status ? first.status : world.statusPlaces.draw(life)
        drawn.push(place)
        return place
      },
      steps: (token) => world.statusPlaces.steps(token),
      look: async () => {
        looks += 1
      },
    }
    const second = await foreignToken(createTasks({ ...world, issuer: ISSUER, statusPlaces }))
    expect([drawn.length, looks]).toEqual([2, 1])
    expect(second.status).toEqual(drawn[1])
    expect(await held()).toHaveLength(2)
  })

  test.each([
    ["after a restart", false],
    ["in another process, once it has looked,", true],
  ])("%s too: held places are not offered, and the list goes on", async (_, was) => {
    const first = await foreignToken()
    const earlier = was ? await openStatusPlaces(world.engine, ISSUER, now()) : undefined
    const before = [first, ...(await Promise.all(Array.from({ length: 19 }, () => foreignToken())))]
    const places = earlier ?? (await openStatusPlaces(world.engine, ISSUER, now()))
    if (was) await places.look()
    const life = { iat: now(), exp: now() + 600 }
    const drawn = Array.from({ length: LIST_PLACES / 2 - 20 }, () => places.draw(life))
    expect(new Set(drawn.map(({ uri }) => uri))).toEqual(new Set([before[0]?.status?.uri]))
    const taken = new Set(drawn.map(({ idx }) => idx))
    expect(before.filter(({ status }) => taken.has(status?.idx ?? 0))).toEqual([])
    expect(await world.engine.query(statusLists)).toHaveLength(1)
  })
})
