// What is told of a task's tokens when it is paused or ends: which APIs hear of it, up to which token and until when; and
// what was over before stays as it was.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Change } from "../../src/task/finish.ts"
import { feedSince } from "../../src/task/revocation-statements.ts"
import { claimsOf, newKey } from "../support/crew.ts"
import { must, ORCHESTRATOR, tasksBefore } from "../support/crew-world.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  await world.leave()
})

const start = async (more: object = {}) =>
  must(await world.tasks.start(ORCHESTRATOR, { ...SUPPORT_START, ...more }))
const change = async (taskId: string, to: Change, at = world.tasks) =>
  must(await at.change(ORCHESTRATOR, taskId, to))
const renew = async (taskId: string, more: object = {}) =>
  must(await world.tasks.renew(ORCHESTRATOR, taskId, more))
const claims = ({ tokens }: { readonly tokens: readonly { readonly accessToken: string }[] }) =>
  claimsOf(tokens[0]?.accessToken)
const tokensOf = async (taskId: string) =>
  must(await world.tasks.show({ clientId: ORCHESTRATOR, staff: false }, taskId)).tokens
/** Every row, whichever API it is for. */
const fed = () => world.engine.query(feedSince, { after: 0, limit: 100 })

const STOPS = ["pause", "complete", "cancel"] as const

describe.each(STOPS)("to %s a task", (to) => {
  test("covers the tokens of who took it over before the commit, whose second is a later one", async () => {
    const { taskId } = await start()
    let taken = Number.POSITIVE_INFINITY
    const takeOver = async () => {
      taken = Number(claims(await renew(taskId, { instance: "pod-2" })).iat)
    }
    await change(taskId, to, tasksBefore(world, takeOver))
    expect((await fed()).at(-1)?.before).toBeGreaterThanOrEqual(taken)
  })

  test("is told to each API once, until the last of its tokens runs out, and to nobody of the agent's own", async () => {
    const { taskId, tokens } = await start({ dpopJkt: newKey().thumbprint })
    expect(tokens.map(({ resource }) => resource)).toContain(world.issuer)
    world.clock.advance(300_000)
    const { exp } = claims(await renew(taskId))
    await change(taskId, to)
    expect(await fed()).toMatchObject([{ api: "tickets", kind: "task", value: taskId, until: exp }])
  })

  test("leaves tokens that ran out as they are, and tells of none", async () => {
    const { taskId } = await start()
    world.clock.advance(601_000)
    await change(taskId, to)
    expect(await fed()).toEqual([])
    expect(await tokensOf(taskId)).toMatchObject([{ state: "expired", endedAt: undefined }])
  })

  test("leaves a token that was ended before with the time of that", async () => {
    const { taskId, tokens } = await start()
    const value = String(claims({ tokens }).jti)
    must(await world.revocations.revoke("operations-team", { kind: "token", value, reason: "leak" }))
    const [{ endedAt } = { endedAt: undefined }] = await tokensOf(taskId)
    world.clock.advance(60_000)
    await change(taskId, to)
    expect(endedAt).toBeTypeOf("number")
    expect(await tokensOf(taskId)).toMatchObject([{ state: "ended", endedAt }])
  })
})
