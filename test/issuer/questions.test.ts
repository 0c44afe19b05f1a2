// The fixed questions of an audit over HTTP: one incident, and what each of them answers about it.
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Incident, openIncident } from "../support/incident.ts"
import type { CallerName } from "../support/issuer-house.ts"

let incident: Incident
beforeAll(async () => {
  incident = await openIncident()
})
afterAll(() => incident.house.remove())

type Rows = readonly Readonly<Record<string, unknown>>[]
const ask = (path: string, as: CallerName = "audit-team") =>
  incident.house.ask("GET", `/reports/${path}`, { as })
const rowsOf = async (path: string) => (await ask(path)).body.rows as Rows
const bot = { agent: "triage-bot", instance: "pod-1" }

test("who did this: holder, principal and task, those alike in one line", async () => {
  const { task } = incident
  const who = { ...bot, sub: "support-orchestrator", orchestrator: "support-orchestrator", task_id: task }
  const read = {
    ...who,
    type: "triage-ticket",
    api: "tickets",
    operation: "tickets:read",
    outcome: "allowed",
  }
  expect(await rowsOf("who?resource=tickets/SUP-1042&operation=tickets:read")).toEqual([
    { ...read, times: 2, first: "2026-03-01T09:01:00.250Z", last: "2026-03-01T09:01:00.250Z" },
  ])
  expect(await rowsOf("who?resource=tickets/SUP")).toHaveLength(3)
  expect(await rowsOf("who?resource=tickets/OTHER")).toEqual([])
  expect(await rowsOf("who?operation=tickets:read&from=2026-03-01T09:01:01Z")).toEqual([])
})

test("what did this task do: folded refusals count as many as they were", async () => {
  const { body } = await ask(`did?task=${incident.task}`)
  expect(body).toMatchObject({
    question: "did",
    more: false,
    about: {
      task_id: incident.task,
      state: "completed",
      purpose: "Triage the ticket",
      policy: incident.policy,
    },
    rows: [
      { ...bot, operation: "tickets:read", resource: "tickets/SUP-1042", outcome: "allowed", times: 2 },
      { operation: "tickets:close", outcome: "refused", code: "operation_not_granted", times: 7 },
      { operation: "tickets:close", outcome: "allowed", times: 1 },
    ],
  })
  expect((await ask(`did?jti=${incident.jti}`)).body).toEqual(body)
})

test("what could it have done: until its end, and what a person would have had to agree to", async () => {
  const api = "https://tickets.internal.example"
  const rule = "support.yaml#/tasks/triage-ticket/grants/0"
  expect(await rowsOf(`could?task=${incident.task}`)).toMatchObject([
    {
      ...bot,
      operations: ["tickets:read", "tickets:comment"],
      resources: ["tickets/SUP-1042", "tickets/SUP-1042/comments"],
      rule,
      from: "2026-03-01T09:00:00.250Z",
      until: "2026-03-01T09:02:00.250Z",
      tokens: 1,
    },
    {
      ...bot,
      operations: ["tickets:close"],
      resources: ["tickets/SUP-1042"],
      from: "2026-03-01T09:01:00.250Z",
      until: "2026-03-01T09:02:00.250Z",
    },
    { operations: ["tickets:close"], needs: "approval by operations-team", resources: ["tickets/SUP-1042"] },
  ])
  expect(JSON.stringify(await rowsOf(`could?task=${incident.task}`))).not.toContain(api)
})

test("on whose behalf", async () => {
  expect(await rowsOf(`behalf?task=${incident.task}`)).toEqual([
    { role: "principal", who: "support-orchestrator", under: "the orchestrator itself", since: AT },
    { role: "orchestrator", who: "support-orchestrator", since: AT },
    { role: "agent", who: "triage-bot/pod-1", since: AT },
  ])
})
const AT = "2026-03-01T09:00:00.250Z"

test("under which policy line, with its text of that day: another policy is in force now", async () => {
  expect(incident.house.issuer.policyDigest()).not.toBe(incident.policy)
  expect(await rowsOf(`rule?task=${incident.task}`)).toEqual([
    {
      rule: "support.yaml#/tasks/triage-ticket/grants/0",
      file: "support.yaml",
      line: 40,
      text: "- api: tickets",
      whole: [
        "      - api: tickets",
        "        operations: [tickets:read, tickets:comment]",
        '        resources: ["tickets/{ticket}", "tickets/{ticket}/comments"]',
      ].join("\n"),
      operations: ["tickets:read", "tickets:comment"],
      policy: incident.policy,
      since: AT,
      loaded_at: AT,
    },
    expect.objectContaining({
      file: "support.yaml",
      line: 43,
      operations: ["tickets:close"],
      whole: expect.stringMatching(/^ {6}- api: tickets\n.*\n.*\n {8}approval: .*$/),
    }),
  ])
})

test("who approved: the person, and when it was used", async () => {
  const told = {
    approval: incident.approval,
    task_id: incident.task,
    operation: "tickets:close",
    resource: "tickets/SUP-1042",
    requested_by: "support-orchestrator",
    asked_for: "Solved",
    decision: "granted",
    by: "operations-team",
    as: "operations-team",
    reason: "Agreed",
    decided_at: "2026-03-01T09:01:00.250Z",
  }
  expect(await rowsOf(`approved?task=${incident.task}`)).toMatchObject([
    { ...told, token: expect.stringMatching(/^tok_/), used_at: "2026-03-01T09:01:00.250Z" },
  ])
  expect(await rowsOf("approved?operation=tickets:close")).toMatchObject([told])
  expect(await rowsOf("approved?operation=tickets:read")).toEqual([])
})

test("each question is one entry, with what was asked, durable before it is answered", async () => {
  await ask(`could?jti=${incident.jti}`)
  const { body } = await incident.house.ask("GET", "/ledger/entries?kind=access.read&limit=1000", {
    as: "audit-team",
  })
  expect((body.entries as Rows).at(-2)).toMatchObject({
    body: { by: "audit-team", report: "could", parameters: { jti: incident.jti } },
  })
})

test.each([
  ["who", 400],
  ["who?api=tickets", 400],
  ["did", 400],
  ["did?task=a&jti=b", 400],
  ["did?operation=x", 400],
  ["approved", 400],
  ["approved?from=yesterday&operation=x", 400],
  ["did?task=task_unknown", 404],
  ["rule?jti=tok_unknown", 404],
  ["approved?task=task_unknown", 404],
  ["why", 404],
])("%s is answered %d", async (path, status) => {
  expect((await ask(path)).status).toBe(status)
})

test("is for auditors", async () => {
  for (const as of ["operations-team", "support-orchestrator"] as const)
    expect((await ask(`did?task=${incident.task}`, as)).status).toBe(403)
})
