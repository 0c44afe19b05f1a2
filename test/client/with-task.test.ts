import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import type { Orchestrator } from "../../src/client/orchestrator.ts"
import { runTask } from "../../src/client/with-task.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { quiet, type Scripted, type ScriptedServer, startScripted } from "../support/scripted-server.ts"
import { simulate } from "../support/simulated.ts"

const credential = { clientId: "support-orchestrator", privateJwk: generatePrivateJwk("ES256") }
const REQUEST = { type: "t", agent: { id: "a", instance: "i" }, purpose: "p" }
const STARTED = { task_id: "task_1", state: "active", deadline: "2026-01-01T00:00:00Z", tokens: [] }

let server: ScriptedServer
let orchestrator: Orchestrator
/** What the issuer says to each change of state, in turn; then 200. */
let answers: Scripted[] = []
const changes = () =>
  server.asked.flatMap(({ path, body }) => (/task_1\//.test(path) ? [`${path} ${body}`] : []))
let seen = 0
const newChanges = () => {
  const all = changes()
  const fresh = all.slice(seen)
  seen = all.length
  return fresh
}

beforeAll(async () => {
  server = await startScripted(({ path }) => {
    if (path === "/token") return { body: { access_token: "service", expires_in: 300, token_type: "Bearer" } }
    if (path === "/tasks") return { status: 201, body: STARTED }
    return answers.shift() ?? { body: { task_id: "task_1", state: path.split("/").at(-1) } }
  })
  orchestrator = createOrchestrator({ issuer: server.origin, credential })
})
afterAll(() => server.close())

const problem = (status: number, code: string, next: string): Scripted => ({ status, body: { code, next } })
class Broken extends Error {
  override readonly name = "Broken"
}

describe("the task ends however the work ends", () => {
  test("fulfilled: completed, and the work's value is answered", async () => {
    expect(await orchestrator.withTask(REQUEST, async ({ id }) => `${id} done`)).toBe("task_1 done")
    expect(newChanges()).toEqual(["/tasks/task_1/complete {}"])
  })

  test("rejected: failed, with the error's name and never its message, and the error is thrown", async () => {
    const secret = new Broken("eyJ-secret")
    const run = orchestrator.withTask(REQUEST, async () => Promise.reject(secret))
    await expect(run).rejects.toBe(secret)
    expect(newChanges()).toEqual(['/tasks/task_1/fail {"reason":"the work ended with Broken"}'])
  })

  test("thrown before there was a promise: failed", async () => {
    const run = orchestrator.withTask(REQUEST, () => {
      throw new Broken("at once")
    })
    await expect(run).rejects.toThrow("at once")
    expect(newChanges()).toHaveLength(1)
  })

  test("aborted: canceled at once, though the work never ends", async () => {
    const controller = new AbortController()
    const run = orchestrator.withTask(
      REQUEST,
      () => new Promise(() => controller.abort(new Broken("no more"))),
      {
        signal: controller.signal,
      },
    )
    await expect(run).rejects.toThrow("no more")
    expect(newChanges()).toEqual(['/tasks/task_1/cancel {"reason":"aborted by its orchestrator"}'])
  })

  test("aborted before it began: nothing is started", async () => {
    const before = server.asked.length
    const run = orchestrator.withTask(REQUEST, async () => 1, {
      signal: AbortSignal.abort(new Broken("never")),
    })
    await expect(run).rejects.toThrow("never")
    expect(server.asked.length).toBe(before)
  })

  test("the first error is kept where ending fails, too", async () => {
    answers = [problem(403, "role_missing", "stop")]
    const run = orchestrator.withTask(REQUEST, async () => Promise.reject(new Broken("first")))
    await expect(run).rejects.toThrow("first")
    expect(newChanges()).toHaveLength(1)
  })

  test("a task that the work ended itself is no error", async () => {
    answers = [{ body: { task_id: "task_1", state: "failed" } }, problem(409, "task_ended", "stop")]
    expect(await orchestrator.withTask(REQUEST, (task) => task.fail().then(() => "own end"))).toBe("own end")
    expect(newChanges()).toHaveLength(2)
  })
})

describe("an issuer that is away while the task ends", () => {
  const run = async (around: ReturnType<typeof simulate>, work: () => Promise<string>) => {
    const done = runTask(() => orchestrator.start(REQUEST), work, {}, around.clock, around).catch(
      (error: unknown) => error,
    )
    let over = false
    void done.then(() => {
      over = true
    })
    for (let step = 0; step < 400 && !over; step++) {
      await quiet(server)
      await around.pass(500)
    }
    return done
  }

  test("is asked again until it answers", async () => {
    answers = Array.from({ length: 3 }, () => problem(503, "temporarily_unavailable", "wait"))
    expect(await run(simulate(), async () => "value")).toBe("value")
    expect(newChanges()).toHaveLength(4)
  })

  test("is asked again no sooner than it says", async () => {
    answers = [{ ...problem(503, "temporarily_unavailable", "wait"), headers: { "retry-after": "12" } }]
    const around = simulate()
    expect(await run(around, async () => "value")).toBe("value")
    expect([around.slept, newChanges().length]).toEqual([[12_000], 2])
  })

  test("is asked for half a minute, and then that is the error of work that was fulfilled", async () => {
    answers = Array.from({ length: 50 }, () => problem(503, "temporarily_unavailable", "wait"))
    const around = simulate()
    const began = around.clock.now()
    expect(await run(around, async () => "value")).toMatchObject({ status: 503, next: "wait" })
    expect(around.clock.now() - began).toBeLessThanOrEqual(31_000)
    expect(newChanges().length).toBeGreaterThan(4)
    answers = []
  })
})
