import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { ISSUER } from "../support/issuer-house.ts"
import { openWorkloads, type Workloads } from "../support/workloads.ts"

const TASKS = `tasks:
  help:
    orchestrators: [support-orchestrator]
    agents: [helper, triage-bot]
    deadline: 2h
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["**"] }
`
const START = {
  type: "help",
  agent: { id: "helper", instance: "pod-1" },
  purpose: "Help",
  deliver: "agent",
}

let all: Workloads
beforeAll(async () => {
  all = await openWorkloads(TASKS)
})
afterAll(() => all.close())

const key = importSigningKey(generatePrivateJwk("ES256"))
const start = async (changes: object = {}) => {
  const json = { ...START, ...changes }
  return all.house.ask("POST", "/tasks", { as: "support-orchestrator", json })
}
/** A call of the agent, which its cluster's token lets in as itself. */
const asHelper = async (method: string, path: string, json?: unknown) => {
  const { house } = all
  const assertion = all.cluster({ sub: "system:serviceaccount:support:helper" })
  const answer = (await (await all.present(assertion, "helper", {}, key)).json()) as { access_token: string }
  const now = toEpochSeconds(house.clock.now())
  const { access_token: accessToken } = answer
  const dpop = signProof({ method, url: `${ISSUER}${path.split("?")[0]}`, accessToken, now }, key)
  const headers = { authorization: `DPoP ${accessToken}`, dpop }
  return house.ask(method, path, { headers, ...(json !== undefined && { json }) })
}

describe("an agent that authenticates", () => {
  test("collects the tokens of its task, bound to the key that it proved", async () => {
    const started = await start()
    expect([started.status, started.body.tokens]).toEqual([201, []])
    const { status, body } = await asHelper("POST", `/tasks/${started.body.task_id}/tokens`)
    const [token] = body.tokens as { access_token: string; token_type: string }[]
    expect([status, token?.token_type]).toEqual([200, "DPoP"])
    const claims = JSON.parse(Buffer.from(token?.access_token.split(".")[1] ?? "", "base64url").toString())
    expect(claims).toMatchObject({
      act: { sub: "helper/pod-1" },
      cnf: { jkt: key.thumbprint },
      client_id: "support-orchestrator",
      txn: started.body.task_id,
    })
  })

  test("finds another agent's task as little as one that there is not", async () => {
    const other = await start({ agent: { id: "triage-bot", instance: "pod-1" }, deliver: undefined })
    const [theirs, none] = [other.body.task_id, "task_01900000-0000-7000-8000-000000000000"]
    const answers = await Promise.all([theirs, none].map((id) => asHelper("POST", `/tasks/${id}/tokens`, {})))
    const told = answers.map(({ status, body: { request_id: _id, ...body } }) =>
      JSON.stringify([status, body]),
    )
    expect(answers[0]?.status).toBe(404)
    expect(told[0]).toBe(told[1])
  })

  test.each([
    ["POST", "/tasks", START],
    ["GET", "/tasks", undefined],
    ["GET", "/ledger/entries", undefined],
    ["POST", "/revocations", { kind: "agent", value: "helper", reason: "x" }],
    ["GET", "/revocations", undefined],
    ["POST", "/policy/reload", {}],
    ["GET", "/catalogue", undefined],
  ])("may nothing else: %s %s", async (method, path, json) => {
    const { status, body } = await asHelper(method, path, json)
    expect([status, body.code]).toEqual([403, "role_missing"])
  })

  test("is the only one for whom a task is started so", async () => {
    const { status, body } = await start({ agent: { id: "triage-bot", instance: "pod-1" } })
    expect([status, body.errors]).toMatchObject([400, [{ pointer: "/deliver" }]])
  })

  test("says itself which APIs it wants tokens for", async () => {
    const { status, body } = await start({ resources: ["https://tickets.internal.example"] })
    expect([status, body.errors]).toMatchObject([400, [{ pointer: "/resources" }]])
  })
})
