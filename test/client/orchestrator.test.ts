import { inspect } from "node:util"
import { afterEach, describe, expect, test } from "vitest"
import { createOrchestrator } from "../../src/client/client.ts"
import { ClientError } from "../../src/client/error.ts"
import type { Clock } from "../../src/time.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { type Asked, type Scripted, type ScriptedServer, startScripted } from "../support/scripted-server.ts"

const JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0In0"
const credential = { clientId: "support-orchestrator", privateJwk: generatePrivateJwk("ES256") }
const REQUEST = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "a test",
  inputs: { ticket: "SUP-1042" },
}

const servers: ScriptedServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

class SteppedClock implements Clock {
  time = Date.now()
  now = () => this.time
  monotonic = () => this.time
}

async function scripted(answer: (asked: Asked) => Scripted): Promise<ScriptedServer> {
  const server = await startScripted((asked) =>
    asked.path === "/token"
      ? { body: { access_token: "service", expires_in: 300, token_type: "Bearer" } }
      : answer(asked),
  )
  servers.push(server)
  return server
}

const token = (resource: string, serial: number) => ({
  resource,
  access_token: `${JWT}.${serial}`,
  token_type: "Bearer",
  expires_in: 600,
  renew_in: 300,
  scope: "tickets:read tickets:comment",
  authorization_details: [{ type: "task_grant" }],
})

const started = (resource: string) => ({
  status: 201,
  body: {
    task_id: "task_1",
    state: "active",
    deadline: "2026-01-01T00:00:00.000Z",
    tokens: [token(resource, 0)],
    approvals: [],
  },
})

describe("misuse is found at construction", () => {
  const wrong = {
    "issuer without https": { issuer: "http://issuer.example", credential },
    "issuer that is no URL": { issuer: "issuer", credential },
    "issuer with a password": { issuer: "https://a:b@issuer.example", credential },
    "address without https": {
      issuer: "https://issuer.example",
      issuerAddress: "http://10.0.0.1",
      credential,
    },
    "an option that there is not": { issuer: "https://issuer.example", credential, dev: true },
    "no client id": { issuer: "https://issuer.example", credential: { ...credential, clientId: "" } },
  }
  for (const [what, options] of Object.entries(wrong))
    test(what, () => {
      expect(() => createOrchestrator(options)).toThrow(TypeError)
    })
})

describe("a task's requests are spelled as the contract has them", () => {
  test("start, renew, change, show and list", async () => {
    const server = await scripted(({ method, path }) => {
      if (path === "/tasks" && method === "POST") return started("https://api.example")
      if (path.endsWith("/tokens")) return { body: { tokens: [token("https://api.example", 1)] } }
      if (path.startsWith("/tasks?")) return { body: { tasks: [{ task_id: "task_1" }], next: "task_0" } }
      if (method === "GET") return { body: { task_id: "task_1", state: "active" } }
      return { body: { task_id: "task_1", state: "completed" } }
    })
    const orchestrator = createOrchestrator({ issuer: server.origin, credential })
    const task = await orchestrator.start({
      ...REQUEST,
      reference: "run-1",
      dpopJkt: "j",
      subjectToken: "user",
      operations: ["tickets:read"],
    })
    expect(task).toMatchObject({ id: "task_1", state: "active", deadline: Date.UTC(2026, 0, 1) })
    expect(task.tokens[0]).toMatchObject({ scope: ["tickets:read", "tickets:comment"], tokenType: "Bearer" })
    await task.renew({ resource: "https://api.example" })
    expect(task.tokens.map((held) => held.token.reveal())).toEqual([`${JWT}.1`])
    await task.complete("done")
    expect(task.state).toBe("completed")
    expect(task.tokens).toEqual([])
    expect(await orchestrator.show("task_1")).toEqual({ task_id: "task_1", state: "active" })
    expect(await orchestrator.list({ state: "active", limit: 5 })).toMatchObject({ next: "task_0" })
    const asked = server.asked.filter((one) => one.path !== "/token")
    expect(
      asked.map((one) => [one.method, one.path, one.body === "" ? undefined : JSON.parse(one.body)]),
    ).toEqual([
      [
        "POST",
        "/tasks",
        {
          ...REQUEST,
          reference: "run-1",
          dpop_jkt: "j",
          subject_token: "user",
          operations: ["tickets:read"],
        },
      ],
      ["POST", "/tasks/task_1/tokens", { resource: "https://api.example" }],
      ["POST", "/tasks/task_1/complete", { reason: "done" }],
      ["GET", "/tasks/task_1", undefined],
      ["GET", "/tasks?state=active&limit=5", undefined],
    ])
    expect(new Set(asked.map((one) => one.headers.authorization))).toEqual(new Set(["Bearer service"]))
    expect(server.asked.filter((one) => one.path === "/token")).toHaveLength(1)
  })

  test("a task id can't leave its place in the path", async () => {
    const server = await scripted(() => ({ body: {} }))
    await createOrchestrator({ issuer: server.origin, credential }).show("../ledger/entries?x=1")
    expect(server.asked.at(-1)?.path).toBe("/tasks/..%2Fledger%2Fentries%3Fx%3D1")
  })

  test("a task prints without its tokens, and hands them over on purpose", async () => {
    const server = await scripted(() => started("https://api.example"))
    const task = await createOrchestrator({ issuer: server.origin, credential }).start(REQUEST)
    expect(inspect(task, { depth: 9, showHidden: true })).not.toContain("eyJ")
    expect(JSON.stringify(task)).not.toContain("eyJ")
    expect(task.handover()).toMatchObject({ task: "task_1", tokens: [{ accessToken: `${JWT}.0` }] })
  })
})

describe("a token that is due is renewed by use", () => {
  async function openTask(renewal: () => Scripted) {
    const clock = new SteppedClock()
    const server = await scripted(({ path }) => {
      if (path === "/tasks") return started(server.origin)
      return path.endsWith("/tokens") ? renewal() : { body: {} }
    })
    const task = await createOrchestrator({ issuer: server.origin, credential, clock }).start(REQUEST)
    const seen = () =>
      server.asked.filter((one) => one.path === "/api").map((one) => one.headers.authorization)
    const renewals = () => server.asked.filter((one) => one.path.endsWith("/tokens")).length
    return { clock, task, seen, renewals, url: `${server.origin}/api`, origin: server.origin }
  }

  test("not before, and once for requests that come together", async () => {
    const { clock, task, seen, renewals, url, origin } = await openTask(() => ({
      body: { tokens: [token(origin, 1)] },
    }))
    await task.fetch(url)
    expect(renewals()).toBe(0)
    clock.time += 301_000
    await Promise.all([task.fetch(url), task.fetch(url), task.fetch(url)])
    expect(renewals()).toBe(1)
    expect(seen()).toEqual([`Bearer ${JWT}.0`, ...Array(3).fill(`Bearer ${JWT}.1`)])
  })

  test("while the old one lives, a renewal that fails does not fail the request, and rests", async () => {
    const { clock, task, seen, renewals, url } = await openTask(() => ({ status: 503, body: {} }))
    clock.time += 301_000
    await task.fetch(url)
    await task.fetch(url)
    expect(renewals()).toBe(1)
    clock.time += 6000
    await task.fetch(url)
    expect(renewals()).toBe(2)
    expect(new Set(seen())).toEqual(new Set([`Bearer ${JWT}.0`]))
  })

  test("when it has expired, the failed renewal is what the request ends with", async () => {
    const body = { code: "task_ended", title: "The task has ended", next: "stop", request_id: "r" }
    const { clock, task, seen, url } = await openTask(() => ({ status: 409, body }))
    clock.time += 601_000
    await expect(task.fetch(url)).rejects.toMatchObject({ code: "task_ended", status: 409, next: "stop" })
    expect(seen()).toEqual([])
  })
})

describe("errors say what to do and hold no secret", () => {
  const cases: readonly (readonly [string, Scripted, object])[] = [
    [
      "problem+json",
      { status: 403, body: { code: "access_denied", title: "No", next: "stop", request_id: "r1" } },
      { code: "access_denied", status: 403, next: "stop", requestId: "r1", message: "No" },
    ],
    [
      "fields",
      {
        status: 400,
        body: { code: "inputs_invalid", errors: [{ pointer: "/inputs/ticket", expected: "x" }, 7] },
      },
      { errors: [{ pointer: "/inputs/ticket", expected: "x" }] },
    ],
    [
      "a fault",
      { status: 503, headers: { "retry-after": "2" } },
      { next: "wait", status: 503, retryAfterSeconds: 2 },
    ],
    ["an answer that is not JSON", { status: 201, body: "<html>" }, { code: "answer_invalid" }],
    ["an answer without its members", { status: 201, body: { task_id: 1 } }, { code: "answer_invalid" }],
  ]
  for (const [what, answer, expected] of cases)
    test(what, async () => {
      const server = await scripted(() => answer)
      const error: unknown = await createOrchestrator({ issuer: server.origin, credential })
        .start(REQUEST)
        .catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ClientError)
      expect(error).toMatchObject(expected)
      expect(inspect(error, { depth: 9 })).not.toMatch(/eyJ|service/)
    })

  test("nobody there", async () => {
    const server = await scripted(() => ({}))
    await server.close()
    const call = createOrchestrator({ issuer: server.origin, credential }).show("task_1")
    await expect(call).rejects.toMatchObject({ code: "issuer_unreachable", status: undefined, next: "wait" })
  })

  test("a credential that is not taken", async () => {
    const server = await startScripted(() => ({ status: 401, body: { error: "invalid_client" } }))
    servers.push(server)
    const call = createOrchestrator({ issuer: server.origin, credential }).show("task_1")
    await expect(call).rejects.toMatchObject({ code: "invalid_client", status: 401, next: "stop" })
  })

  test.each([
    [503, "temporarily_unavailable"],
    [429, "too_many_requests"],
  ])("no service token for now (%i): it is there, and says when to ask again", async (status, code) => {
    const server = await startScripted(() => ({ status, headers: { "retry-after": "7" } }))
    servers.push(server)
    const call = createOrchestrator({ issuer: server.origin, credential }).show("task_1")
    await expect(call).rejects.toMatchObject({ code, status, next: "wait", retryAfterSeconds: 7 })
  })

  test("a service token that is not taken is replaced once", async () => {
    const server = await scripted(() => ({
      status: 401,
      body: { code: "service_token_invalid", next: "renew" },
    }))
    const call = createOrchestrator({ issuer: server.origin, credential }).show("task_1")
    await expect(call).rejects.toMatchObject({ code: "service_token_invalid" })
    expect(server.asked.map((one) => one.path)).toEqual([
      "/token",
      "/tasks/task_1",
      "/token",
      "/tasks/task_1",
    ])
  })
})

describe("a connection that was closed meanwhile", () => {
  const calls: readonly (readonly [
    what: string,
    made: number,
    call: (issuer: string) => Promise<unknown>,
  ])[] = [
    ["reading is tried again", 2, (issuer) => createOrchestrator({ issuer, credential }).show("task_1")],
    [
      "so is a change of state",
      2,
      (issuer) => createOrchestrator({ issuer, credential }).change("task_1", "pause"),
    ],
    [
      "so is a start with a reference",
      2,
      (issuer) => createOrchestrator({ issuer, credential }).start({ ...REQUEST, reference: "r" }),
    ],
    [
      "a start without one is not: it could start two",
      1,
      (issuer) => createOrchestrator({ issuer, credential }).start(REQUEST),
    ],
  ]
  for (const [what, made, call] of calls)
    test(what, async () => {
      const server = await scripted(() => ({ cut: true }))
      await expect(call(server.origin)).rejects.toMatchObject({ code: "issuer_unreachable", next: "wait" })
      expect(server.asked.filter((one) => one.path !== "/token")).toHaveLength(made)
    })
})
