// C25 Texts that try to climb out of a path, as the parameter of a guarded route: in process all of them, and some as bytes
// on a socket at every framework.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { prepareTarget } from "../../src/verifier/target.ts"
import { startVerifier } from "../support/guarded-api.ts"
import { bearer, grantsFor, openHost } from "../support/hosted-api.ts"
import { HOSTS } from "../support/hosts.ts"
import { API, OPERATIONS } from "../support/issuer-stub.ts"
import { sidecar } from "../support/sidecar-host.ts"
import { traversals } from "../support/traversals.ts"

const ALLOWED = "42"
/** Data, whatever a reader of JSON takes it for. */
const LIKE_JSON = ['a"b', 'a","b', 'a"],"code":"none', "😀".repeat(256)]
const TEXTS = traversals(ALLOWED)
const target = prepareTarget("tickets:read", "tickets/{id}")

test("C25 there are enough of them, each once, and none is the token's own", () => {
  expect(TEXTS.length).toBeGreaterThan(20_000)
  expect(new Set(TEXTS).size).toBe(TEXTS.length)
  expect(TEXTS).not.toContain(ALLOWED)
})

describe("in process", () => {
  let started: Awaited<ReturnType<typeof startVerifier>>
  beforeAll(async () => {
    started = await startVerifier()
  })
  afterAll(() => started.close())
  const decide = (text: string, token: string) => {
    const view = { method: "GET", target: "/tickets/x", rawHeaders: ["Authorization", `Bearer ${token}`] }
    const bound = target.bind({ id: text })
    return started.verifier.check(view, target.operation, bound?.resource, bound?.parameters)
  }

  test("C25 none is accepted where the token names one ticket, and each is recorded as refused", async () => {
    const task = newId("task")
    const token = started.stub.mint({ txn: task, grants: grantsFor(API, OPERATIONS) })
    const codes = new Set<string>()
    for (const text of TEXTS) {
      const decision = await decide(text, token)
      codes.add(decision.outcome === "refused" ? decision.code : text)
    }
    expect([...codes].toSorted()).toEqual(["resource_not_granted", "segment_invalid"])
    const own = await decide(ALLOWED, token)
    if (own.outcome !== "refused") own.finished(200)
    expect(own.outcome).toBe("allowed")
    await started.verifier.flush()
    const uses = started.stub.uses().filter((use) => use.task === task && use.decision === "refused")
    expect(uses.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(TEXTS.length)
  })

  test("C25 where it names all tickets, what is accepted is plain data, handed on as it came", async () => {
    const resources = [["tickets", "*"]]
    const grants = [{ api: API, operations: OPERATIONS, resources, rule: "support.yaml#/0" }]
    const token = started.stub.mint({ grants })
    const accepted: string[] = []
    const before = started.stub.uses().length
    for (const text of [...TEXTS, ...LIKE_JSON]) {
      const decision = await decide(text, token)
      if (decision.outcome !== "allowed") continue
      decision.finished(200)
      accepted.push(text)
      expect([decision.use.resource, { ...decision.use.parameters }]).toEqual([
        ["tickets", text],
        { id: text },
      ])
    }
    expect(accepted.filter((text) => /[/\\%\0?#;*{}\s]|^\.\.?$/.test(text))).toEqual([])
    expect(accepted.length).toBeLessThan(TEXTS.length / 10)
    expect(accepted.slice(-LIKE_JSON.length)).toEqual(LIKE_JSON)
    await started.verifier.flush()
    const allowed = started.stub.uses().slice(before)
    const recorded = allowed.filter(({ decision }) => decision === "allowed").map(({ resource }) => resource)
    expect(recorded).toEqual(accepted.map((text) => ["tickets", text]))
    expect(started.stub.refused).toEqual([])
  })
})

describe.each([...HOSTS, sidecar])("at $name", (host) => {
  const some = TEXTS.filter((_, at) => at % 97 === 0)

  test("C25 as bytes on a socket: only what the router itself makes the token's own text reaches the handler", async () => {
    const api = await openHost(host)
    const token = bearer(api.mint())
    const bytes = (text: string) => Buffer.from(text).toString("latin1")
    for (let at = 0; at < some.length; at += 20) {
      const sent = some.slice(at, at + 20)
      const answers = await Promise.all(sent.map((text) => api.send(`GET /tickets/${bytes(text)}`, token)))
      for (const [index, { status }] of answers.entries())
        if (status < 400) expect(["passed", sent[index], status]).toEqual(["passed", sent[index], 201])
    }
    expect(api.seen.handled.filter(({ id }) => id !== ALLOWED)).toEqual([])
    expect(api.seen.handled.filter(({ use }) => use.resource.join("/") !== `tickets/${ALLOWED}`)).toEqual([])
    expect(api.seen.handled.length).toBeLessThan(3)
    expect(api.seen.unguarded).toEqual([])
    await api.close()
  })
})
