// Direct recording: no disk, the issuer's acknowledgement before the handler. What holds when it is slow, away, or comes
// back, and that nothing is said of requests that nobody served, but for what was under way.
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type GuardedApi, startGuardedApi, startVerifier } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"

let api: GuardedApi
beforeEach(async () => {
  api = await startGuardedApi({ recording: "direct" })
})
afterEach(() => api.close())

const get = async (task = newId("task")) => {
  const answer = await api.get("/tickets/SUP-1042", api.stub.mint({ txn: task }))
  const { code }: { code?: string } = JSON.parse(await answer.text())
  return { status: answer.status, code, retry: answer.headers.get("retry-after") }
}
const acknowledged = (task: string) => api.stub.uses().filter((use) => use.task === task)

test("a handler runs when the issuer has acknowledged its use, not before", async () => {
  const task = newId("task")
  let released: (() => void) | undefined
  api.stub.overrides.set("/uses", () => {
    if (released || api.handled.length > 0) return undefined
    return (response) => {
      released = () => response.writeHead(503).end()
    }
  })
  const answer = get(task)
  await vi.waitFor(() => expect(released).toBeDefined())
  expect(api.handled).toEqual([])
  released?.()
  expect((await answer).status).toBe(200)
  expect(api.handled.length).toBe(1)
  expect(acknowledged(task)).toMatchObject([{ decision: "allowed", operation: "tickets:read" }])
  expect(acknowledged(task)[0]).not.toHaveProperty("status")
})

test("many at once share batches, and each is acknowledged before it is answered", async () => {
  const task = newId("task")
  const before = api.stub.batches.length
  const all = await Promise.all(Array.from({ length: 100 }, () => get(task)))
  expect(all.filter(({ status }) => status === 200).length).toBe(100)
  expect(acknowledged(task).length).toBe(100)
  expect(new Set(acknowledged(task).map((use) => use.id))).toEqual(
    new Set(api.handled.map(({ use }) => use.useId)),
  )
  expect(api.stub.batches.length - before).toBeLessThan(50)
})

test("what the issuer counts beyond a limit is not served, however many come at once", async () => {
  const [task, other] = [newId("task"), newId("task")]
  api.stub.usesLeft.set(task, 7)
  const all = await Promise.all(Array.from({ length: 40 }, (_, at) => get(at % 2 === 0 ? task : other)))
  const served = all.filter(({ status }) => status === 200)
  expect(served.length).toBe(20 + 7)
  expect(api.handled.filter(({ use }) => use.task === task).length).toBe(7)
  expect(new Set(all.filter(({ status }) => status !== 200).map(({ code }) => code))).toEqual(
    new Set(["task_paused"]),
  )
  expect(acknowledged(task).length).toBe(20)
})

test("in observe mode what the issuer counts beyond a limit goes on, and is recorded once", async () => {
  const until = new Date(api.clock.now() + 86_400_000).toISOString()
  const { verifier, stub, close } = await startVerifier({ recording: "direct", mode: { observe: { until } } })
  const task = newId("task")
  stub.usesLeft.set(task, 1)
  const rawHeaders = ["Authorization", `Bearer ${stub.mint({ txn: task })}`]
  const view = { method: "GET", target: "/tickets/SUP-1042", rawHeaders }
  const observed: (string | undefined)[] = []
  for (let count = 0; count < 2; count++) {
    const { outcome, headers } = {
      headers: {},
      ...(await verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])),
    }
    observed.push(outcome, new Headers(headers).get("taskmint-observed")?.split(";")[0])
  }
  expect(observed).toEqual(["allowed", "allowed", "observed", "task_paused"])
  await verifier.flush()
  const uses = stub.uses().filter((use) => use.task === task)
  expect(uses.map(({ decision }) => decision)).toEqual(["allowed", "allowed"])
  expect(new Set(uses.map(({ id }) => id)).size).toBe(2)
  await close()
})

test.each([
  ["task_paused", "task_paused"],
  ["token_revoked", "token_revoked"],
  ["a code of the future", "token_revoked"],
])("of a use beyond a limit that is called %s, the caller is told %s", async (said, code) => {
  const task = newId("task")
  api.stub.usesLeft.set(task, 1)
  api.stub.beyondCodes.set(task, said)
  expect([(await get(task)).status, (await get(task)).code]).toEqual([200, code])
})

test("a refusal is answered at once and recorded too", async () => {
  const task = newId("task")
  const answer = await api.get("/tickets/SUP-9", api.stub.mint({ txn: task }))
  expect(answer.status).toBe(403)
  await api.verifier.flush()
  expect(acknowledged(task)).toMatchObject([{ decision: "refused", code: "resource_not_granted" }])
})

test("while the issuer is away requests are refused within seconds; of those only what was under way is told, and it recovers by itself", async () => {
  const [first, second, third] = [newId("task"), newId("task"), newId("task")]
  api.stub.setDown(true)
  expect(await get(first)).toMatchObject({
    status: 503,
    code: "recording_unavailable",
    retry: expect.any(String),
  })
  expect(await get(second)).toMatchObject({ status: 503, code: "recording_unavailable" })
  expect(api.handled).toEqual([])
  api.stub.setDown(false)
  expect((await get(third)).status).toBe(200)
  expect(api.handled.map(({ use }) => use.task)).toEqual([third])
  expect(acknowledged(second)).toEqual([])
  expect(acknowledged(third).length).toBe(1)
  await api.verifier.flush()
  // What could not be told meanwhile is told again after up to sixteen seconds.
  await vi.waitFor(() => expect(api.verifier.ready()).toEqual({ ready: true, reasons: [] }), 20_000)
}, 45_000)

test("proofs of possession need a nonce, for no disk remembers them", async () => {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const token = api.stub.mint({ jkt: key.thumbprint })
  const send = (nonce?: string) => {
    const now = Math.floor(api.clock.now() / 1000)
    const proof = signProof(
      { method: "GET", url: `${API}/tickets/SUP-1042`, accessToken: token, nonce, now },
      key,
    )
    const headers = { authorization: `DPoP ${token}`, dpop: proof }
    return () => fetch(`${api.address}/tickets/SUP-1042`, { headers })
  }
  const nonce = (await send()()).headers.get("dpop-nonce") ?? ""
  const proven = send(nonce)
  expect([(await proven()).status, (await proven()).status]).toEqual([200, 401])
})

test("close waits for what is under way, says the last word, and a new start is a new instance", async () => {
  const running = Array.from({ length: 20 }, () => get())
  await vi.waitFor(() => expect(api.handled.length).toBeGreaterThan(0))
  await api.verifier.close()
  const statuses = (await Promise.all(running)).map(({ status }) => status)
  expect(statuses.filter((one) => one === 200).length).toBe(api.handled.length)
  expect(api.stub.batches.at(-1)).toMatchObject({ final: true })
  expect(await get()).toMatchObject({ status: 503, code: "temporarily_unavailable" })
})
