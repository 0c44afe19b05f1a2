// A day's work for people to look at: tasks by day and few by night, what agents did and were refused, questions that were
// answered, a verifier that fell silent, a canary that sang, and one task that is still in the middle of it. It decides nothing
// about pages: console-house.ts opens the house and scripts/screenshots.ts takes the pictures.
import { PEOPLE } from "./console-house.ts"
import { crewPolicy, EXCHANGE, newKey } from "./crew.ts"
import { ASSERTION_TYPE, type House, START, TICKETS } from "./issuer-house.ts"
import { createReporter, type ReportedToken, reportedToken, type TestReporter } from "./reporter.ts"

/** Agents may delegate here; else as in every house of the console. */
export const DAY = {
  ...PEOPLE,
  files: {
    ...PEOPLE.files,
    "support.yaml": crewPolicy({ members: [] }).replace("by: [leads]", "by: [operations-team]"),
  },
}

const ORCHESTRATOR = "support-orchestrator"
const MINUTE = 60_000
/** Tasks in each hour, the first at 09:00 UTC. */
const HOURS = [4, 6, 5, 3, 5, 6, 4, 3, 2, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2, 3, 5] as const
const WORK = [
  ["Triage the ticket and answer the customer", "The customer confirmed that signing in works again"],
  ["Summarise what was tried for the night shift", "Nothing was heard for fourteen days"],
  ["Find out which release broke the export, and say so in a comment", "A duplicate of SUP-1007"],
] as const

export interface DayIds {
  readonly tasks: string[]
  readonly approvals: string[]
  readonly revocations: string[]
}

interface Begun {
  readonly id: string
  readonly token: string
  readonly held: ReportedToken
}

async function begin(house: House, at: number, more: object = {}): Promise<Begun> {
  const json = {
    ...START,
    agent: { id: "triage-bot", instance: `pod-${at % 5}` },
    purpose: WORK[at % WORK.length]?.[0],
    inputs: { ticket: `SUP-${1042 + at}` },
    reference: `run-2026-03-01-${String(at).padStart(4, "0")}`,
    ...more,
  }
  const { status, body } = await house.ask("POST", "/tasks", { as: ORCHESTRATOR, json })
  if (status !== 201) throw new Error(`no task: ${JSON.stringify(body)}`)
  const [first] = body.tokens as { access_token: string }[]
  const token = first?.access_token ?? ""
  return { id: String(body.task_id), token, held: reportedToken(token) }
}

async function ask(house: House, at: number, task: string): Promise<string> {
  const question = {
    task_id: task,
    operation: "tickets:close",
    resource: `tickets/SUP-${1042 + at}`,
    reason: WORK[at % WORK.length]?.[1],
    parameters: { resolution: "solved", notify: ["customer", "account-team"] },
  }
  const { status, body } = await house.ask("POST", "/approvals", { as: ORCHESTRATOR, json: question })
  if (status !== 201) throw new Error(`no approval: ${JSON.stringify(body)}`)
  return String(body.id)
}

const decide = (house: House, id: string, decision: "grant" | "deny") =>
  house.ask("POST", `/approvals/${id}`, { as: "operations-team", json: { decision } })

/** Some minutes of a task: what it did, in batches as a verifier sends them. */
async function act(house: House, reporter: TestReporter, held: ReportedToken, at: number): Promise<void> {
  const resource = ["tickets", `SUP-${1042 + at}`]
  for (let minute = 0; minute < 3; minute += 1) {
    house.clock.advance(MINUTE)
    const reads = Array.from({ length: 1 + ((at + minute) % 4) }, () => reporter.use(held, { resource }))
    const comment = reporter.use(held, {
      operation: "tickets:comment",
      resource: [...resource, "comments"],
    })
    const wrong = reporter.use(held, { resource, decision: "refused", code: "operation_not_granted" })
    await reporter.report([...reads, ...(minute === 1 ? [comment] : []), ...(at % 6 === 2 ? [wrong] : [])])
  }
}

async function run(house: House, reporter: TestReporter, at: number, ids: DayIds): Promise<void> {
  const { id, held } = await begin(house, at)
  ids.tasks.push(id)
  await act(house, reporter, held, at)
  if (at % 4 === 1) {
    const asked = await ask(house, at, id)
    ids.approvals.push(asked)
    house.clock.advance(MINUTE)
    if (at % 12 !== 9) await decide(house, asked, at % 8 === 5 ? "deny" : "grant")
  }
  const end = at % 9 === 4 ? "fail" : at % 13 === 6 ? "pause" : "complete"
  if (at % 11 !== 10)
    await house.ask("POST", `/tasks/${id}/${end}`, {
      as: ORCHESTRATOR,
      json: end === "complete" ? {} : { reason: "The ticket moved to another queue" },
    })
}

/** One more, an hour and a half long, with a sub-agent, questions and renewals. */
async function runLong(house: House, reporter: TestReporter, at: number, ids: DayIds): Promise<void> {
  const { id, token, held } = await begin(house, at)
  ids.tasks.push(id)
  await act(house, reporter, held, at)
  const child = await house.form({
    grant_type: EXCHANGE,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: house.assertion(ORCHESTRATOR),
    subject_token: token,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
    requested_actor: "summarizer/pod-1",
    dpop_jkt: newKey().thumbprint,
    resource: TICKETS,
  })
  const { access_token: delegated } = (await child.json()) as { access_token?: string }
  if (delegated === undefined) throw new Error("nothing was delegated")
  await act(house, reporter, reportedToken(delegated), at)
  const denied = await ask(house, at, id)
  ids.approvals.push(denied)
  house.clock.advance(2 * MINUTE)
  await decide(house, denied, "deny")
  for (let round = 0; round < 9; round += 1) {
    house.clock.advance(5 * MINUTE)
    const { body } = await house.ask("POST", `/tasks/${id}/tokens`, { as: ORCHESTRATOR, json: {} })
    const [renewed] = body.tokens as { access_token: string }[]
    await act(house, reporter, reportedToken(renewed?.access_token ?? ""), at)
  }
  ids.approvals.push(await ask(house, at, id))
}

/** Leaves things as people find them in the morning. */
export async function fillDay(house: House): Promise<DayIds> {
  const ids: DayIds = { tasks: [], approvals: [], revocations: [] }
  const [reporter, quiet] = [createReporter(house), createReporter(house)]
  let at = 0
  for (const [hour, count] of HOURS.entries()) {
    const began = house.clock.now()
    for (let task = 0; task < count; task += 1) {
      await run(house, reporter, at, ids)
      at += 1
    }
    if (hour < 18) await quiet.report()
    if (hour === 20)
      await house.ask("POST", "/tasks", { as: ORCHESTRATOR, json: { ...START, type: "deploy-service" } })
    house.clock.advance(Math.max(0, 60 * MINUTE - (house.clock.now() - began)))
  }
  await sing(house, reporter)
  await begin(house, at, { agent: { id: "triage-bot", instance: "pod-9" } })
  at += 1
  for (const [kind, value] of [
    ["agent", "deploy-bot"],
    ["instance", "triage-bot/pod-9"],
  ] as const) {
    const json = { kind, value, reason: "Its keys were in a log that left the house" }
    const { body } = await house.ask("POST", "/revocations", { as: "operations-team", json })
    ids.revocations.push(String(body.id))
    await reporter.report()
  }
  await runLong(house, reporter, at, ids)
  for (let open = 1; open < 4; open += 1) {
    const { id, held } = await begin(house, at + open)
    ids.approvals.push(await ask(house, at + open, id))
    await act(house, reporter, held, at + open)
    ids.tasks.unshift(id)
  }
  await lookOften(house, reporter)
  return ids
}

/** What says that nothing was heard has itself been awake for a while. */
async function lookOften(house: House, reporter: TestReporter): Promise<void> {
  for (let look = 0; look < 8; look += 1) {
    house.clock.advance(10_000)
    await reporter.report()
    await house.issuer.sweep()
  }
}

/** A canary, and somebody who uses it. */
async function sing(house: House, reporter: TestReporter): Promise<void> {
  const { type, agent, inputs } = START
  const json = { type, agent, inputs, reason: "Page Runbooks in the support wiki" }
  const { body } = await house.ask("POST", "/canaries", { as: "operations-team", json })
  const held = reportedToken(String(body.access_token))
  await reporter.report([reporter.use(held, { decision: "refused", code: "token_expired" })])
}
