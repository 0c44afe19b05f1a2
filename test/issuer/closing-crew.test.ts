// The closing statement of a task with sub-agents and renewals, and the three forms in which it is answered.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { wantedType } from "../../src/issuer/task-statement.ts"
import { readKeySet, type VerificationKey } from "../../src/token/signature.ts"
import { readStatement } from "../../src/token/task-statement.ts"
import { type Crew, openCrew } from "../support/crew.ts"
import { createReporter, reportedToken } from "../support/reporter.ts"

let crew: Crew
let taskId: string
let delegation: string
beforeAll(async () => {
  crew = await openCrew()
  const agent = await crew.start({ purpose: "<script>alert(1)</script>", reference: "run-7" })
  taskId = agent.taskId
  const child = await crew.delegate(agent, "summarizer/pod-9")
  delegation = String(child.delegation)
  crew.house.clock.advance(1000)
  await crew.renew(agent)
  const reporter = createReporter(crew.house)
  await reporter.report([
    reporter.use(reportedToken(agent.tickets)),
    reporter.use(reportedToken(child.tickets)),
    reporter.use(reportedToken(child.tickets)),
  ])
})
afterAll(() => crew.remove())

const get = (accept?: string) =>
  crew.house.call("GET", `/tasks/${taskId}/statement`, {
    as: "support-orchestrator",
    ...(accept !== undefined && { headers: { accept } }),
  })

test("each holder's share is told, whose it is, and what was renewed", async () => {
  const { statement } = (await (await get()).json()) as Record<string, Record<string, unknown>>
  expect(statement).toMatchObject({
    holders: [
      { agent: "triage-bot", instance: "pod-1", lineage: [], allowed: 1 },
      { agent: "summarizer", instance: "pod-9", lineage: [delegation], allowed: 2 },
    ],
    renewals: [{ agent: "triage-bot", instance: "pod-1", api: "tickets", count: 1 }],
    authority: [{ operations: [{ operation: "tickets:read", allowed: 3 }, {}] }, {}],
  })
})

describe("it is answered", () => {
  test("as JSON to programs, whatever they say", async () => {
    for (const accept of [undefined, "*/*", "application/json", "image/png"]) {
      const answer = await get(accept)
      expect([answer.status, answer.headers.get("content-type"), answer.headers.get("vary")]).toEqual([
        200,
        "application/json",
        "accept",
      ])
      expect(answer.headers.get("cache-control")).toBe("no-store")
    }
  })

  test("as the bare JWS, signed by a key of the issuer's key set", async () => {
    const answer = await get("application/jwt")
    expect(answer.headers.get("content-type")).toBe("application/jwt")
    const { body } = await crew.house.ask("GET", "/.well-known/jwks.json")
    const keys = readKeySet(body) as ReadonlyMap<string, VerificationKey>
    const read = readStatement(await answer.text(), (kid) => keys.get(kid))
    expect(read).toMatchObject({
      issuer: "https://taskmint.internal",
      task: taskId,
      statement: { number: 1 },
    })
  })

  test("K06 as a page to browsers, with a policy under which nothing runs, and no purpose that is markup", async () => {
    const answer = await get("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8")
    expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/)
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
    const page = await answer.text()
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;")
    expect(page).not.toMatch(/<script/)
    for (const shown of ["run-7", "tickets/SUP-1042", delegation, "summarizer/pod-9"])
      expect(page).toContain(shown)
  })

  test.each([
    [null, "application/json"],
    ["text/html;q=0.5, application/jwt;q=0.6", "application/jwt"],
    ["application/jwt, text/html", "application/jwt"],
    ["TEXT/HTML", "text/html"],
    ["text/html;q=0", "application/json"],
    ["text/html;q=x", "application/json"],
    ["application/json, text/html", "application/json"],
  ])("%j asks for %s", (accept, type) => {
    expect(wantedType(accept)).toBe(type)
  })
})
