// A call that a person has to agree to: asked, waited for and made, or given up, against an issuer and an API that follow the
// contract over real HTTP. Time is the test's.
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { ApprovalQuestion, AskApproval } from "../../src/client/approval.ts"
import { createSessionKey } from "../../src/client/client.ts"
import { openSession, type Session } from "../../src/client/session.ts"
import { readSessionOptions } from "../../src/client/session-options.ts"
import { readProof } from "../../src/token/proof.ts"
import { type ContractIssuer, startContractIssuer } from "../support/contract-issuer.ts"
import {
  type Asked,
  quiet,
  type Scripted,
  type ScriptedServer,
  startScripted,
} from "../support/scripted-server.ts"
import { type Simulated, simulate } from "../support/simulated.ts"

const APPROVED = "approved-token"
const QUESTION: ApprovalQuestion = {
  operation: "tickets:close",
  resource: "tickets/SUP-1042",
  reason: "It is solved",
  parameters: { note: "done" },
}

const CANT_TELL: Scripted = {
  status: 503,
  headers: { "content-type": "application/problem+json", "retry-after": "1" },
  body: { code: "revocations_stale", next: "wait", status: 503 },
}

let around: Simulated
let issuer: ContractIssuer
let api: ScriptedServer
/** What the issuer says the approval's state is, in turn; the last one stays. */
let states: string[]
/** How the API refuses what is not approved. */
let refusal: { code: string; next: string }
let away: boolean
/** Whether the API refuses what is approved, too. */
let stubborn: boolean
/** How often the API's guard can't tell at the moment, once the call is approved. */
let unsure: number
beforeEach(async () => {
  around = simulate()
  states = ["requested", "requested", "granted"]
  refusal = { code: "operation_not_granted", next: "stop" }
  away = false
  stubborn = false
  unsure = 0
  api = await startScripted(({ headers }) =>
    headers.authorization === `DPoP ${APPROVED}` && !stubborn
      ? unsure-- > 0
        ? CANT_TELL
        : { body: { closed: true } }
      : {
          status: 403,
          headers: { "content-type": "application/problem+json" },
          body: { ...refusal, status: 403 },
        },
  )
})
afterEach(async () => {
  await session.close()
  await Promise.all([issuer.close(), api.close()])
})

const isApproval = ({ path }: Asked) => path.startsWith("/approvals")
const exchanged = () => issuer.asked.filter(({ body }) => body.includes("approval=apr_1"))

function answer(asked: Asked): Scripted | undefined {
  if (away && isApproval(asked) && asked.method === "GET") return { status: 503 }
  if (isApproval(asked))
    return { body: { id: "apr_1", state: (states.length > 1 ? states.shift() : states[0]) ?? "" } }
  if (!asked.body.includes("approval=apr_1")) return undefined
  const denied = { status: 403, body: { error: "access_denied", code: "approval_denied", next: "stop" } }
  return states[0] === "granted"
    ? { body: { access_token: APPROVED, token_type: "DPoP", expires_in: 300 } }
    : denied
}

let session: Session
async function open(approval?: AskApproval): Promise<void> {
  const key = createSessionKey()
  issuer = await startContractIssuer({ clock: around.clock, jkt: key.thumbprint })
  issuer.answerWith(answer)
  const tokens = issuer.handed([api.origin, issuer.issuer])
  const options = { task: "task_1", issuer: issuer.issuer, tokens, key, ...(approval && { approval }) }
  session = openSession(await readSessionOptions(options, around), around)
}

/** What became of the call, and how many seconds it waited. */
async function close(init: RequestInit = {}): Promise<{ outcome: unknown; seconds: number }> {
  const began = around.clock.now()
  const call = session.fetch(`${api.origin}/tickets/SUP-1042/close`, {
    method: "POST",
    body: "whole",
    ...init,
  })
  let over = false
  const outcome = call.then(
    ({ status }) => status,
    (error: unknown) => error,
  )
  void outcome.then(() => {
    over = true
  })
  await quiet(issuer, api)
  for (let step = 0; step < 6000 && !over; step++) if ((await around.pass(2000)) > 0) await quiet(issuer, api)
  return { outcome: await outcome, seconds: (around.clock.now() - began) / 1000 }
}

describe("a call that needs a person", () => {
  test("is asked with the agent's own token, waited for, and made with the answer", async () => {
    const told: unknown[] = []
    await open((refused) => {
      told.push(refused)
      return QUESTION
    })
    expect((await close()).outcome).toBe(200)
    expect(told).toEqual([
      { code: "operation_not_granted", method: "POST", url: `${api.origin}/tickets/SUP-1042/close` },
    ])
    const [asked, ...looked] = issuer.asked.filter(isApproval)
    expect(JSON.parse(asked?.body ?? "")).toEqual({ task_id: "task_1", ...QUESTION })
    expect(asked?.headers.authorization).toMatch(/^DPoP own-/)
    expect(readProof(String(asked?.headers.dpop))).toMatchObject({
      htm: "POST",
      htu: `${issuer.issuer}/approvals`,
    })
    expect(looked.map(({ method, path }) => `${method} ${path}`)).toEqual(
      Array(2).fill("GET /approvals/apr_1"),
    )
    expect(exchanged()).toHaveLength(1)
    // The approval says which API; a resource beside it is refused.
    expect(new URLSearchParams(exchanged()[0]?.body).has("resource")).toBe(false)
    expect(api.asked.map(({ body }) => body)).toEqual(["whole", "whole"])
  })

  test("is asked where the guard says so, too, and not again when the approved call is refused", async () => {
    refusal = { code: "parameters_not_granted", next: "ask_approval" }
    stubborn = true
    let count = 0
    await open(() => {
      count++
      return QUESTION
    })
    expect((await close()).outcome).toMatchObject({ code: "parameters_not_granted" })
    expect([count, api.asked.length]).toEqual([1, 2])
  })

  test("outlasts 45 minutes of waiting and the tokens meanwhile, and an issuer that is away for a while", async () => {
    states = [...Array(90).fill("requested"), "granted"]
    await open(() => QUESTION)
    away = true
    const call = close()
    setTimeout(() => {
      away = false
    }, 60)
    const { outcome, seconds } = await call
    expect(outcome).toBe(200)
    expect(seconds).toBeGreaterThan(1800)
    expect(issuer.refused).toEqual([])
  })

  test("still has all its patience with the API when the person has taken theirs", async () => {
    states = [...Array(10).fill("requested"), "granted"]
    unsure = 3
    await open(() => QUESTION)
    expect((await close()).outcome).toBe(200)
    expect(exchanged()).toHaveLength(1)
  })
})

describe("no answer is no call", () => {
  test("denied: the issuer's word is thrown", async () => {
    states = ["requested", "denied"]
    await open(() => QUESTION)
    expect((await close()).outcome).toMatchObject({ code: "approval_denied", next: "stop" })
    expect(api.asked).toHaveLength(1)
  })

  test("of a question that is gone: the issuer's word is thrown at once", async () => {
    states = ["requested"]
    await open(() => QUESTION)
    const gone = { status: 404, body: { code: "not_found", next: "stop" } }
    issuer.answerWith((asked) => (isApproval(asked) && asked.method === "GET" ? gone : answer(asked)))
    const { outcome, seconds } = await close()
    expect(outcome).toMatchObject({ code: "not_found", next: "stop" })
    expect(seconds).toBeLessThan(10)
  })

  test("undecided in time: thrown as something to wait for", async () => {
    states = ["requested"]
    await open(() => ({ ...QUESTION, waitSeconds: 60 }))
    const { outcome, seconds } = await close()
    expect(outcome).toMatchObject({ code: "approval_pending", next: "wait" })
    expect(seconds).toBeLessThanOrEqual(62)
  })

  test("nothing to ask, or nobody told to: the refusal is thrown", async () => {
    await open(() => undefined)
    expect((await close()).outcome).toMatchObject({ code: "operation_not_granted" })
    await session.close()
    await issuer.close()
    await open()
    expect((await close()).outcome).toMatchObject({ code: "operation_not_granted" })
    expect(issuer.asked.filter(isApproval)).toEqual([])
  })

  test("a stream can't be sent twice, so nobody is asked", async () => {
    let count = 0
    await open(() => {
      count++
      return QUESTION
    })
    const body = new Blob(["once"]).stream()
    expect((await close({ body, duplex: "half" } as RequestInit)).outcome).toMatchObject({ status: 403 })
    expect(count).toBe(0)
  })

  test("a call that is aborted asks no more", async () => {
    states = ["requested"]
    const controller = new AbortController()
    await open(() => QUESTION)
    setTimeout(() => controller.abort(new Error("no more")), 30)
    expect((await close({ signal: controller.signal })).outcome).toMatchObject({ message: "no more" })
  })
})
