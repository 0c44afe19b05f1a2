// The demo's story: one task from its start to its account, one whose agent asks a person, and one that is revoked. Each step is asserted as it is told.
import { setTimeout as sleep } from "node:timers/promises"
import { asRecord } from "../../client/issuer-call.ts"
import type { Handover } from "../../client/task.ts"
import type { Terminal } from "../terminal.ts"
import { showAccount, showLedger } from "./account.ts"
import type { Outcome } from "./agent.ts"
import type { Scenery } from "./stage.ts"
import type { Teller } from "./tell.ts"

const TICKET = "SUP-1042"
const OTHER_TICKET = "SUP-2001"
const HOLDER = { id: "triage-bot", instance: "pod-7f3c" }
const ASKER = { id: "triage-bot", instance: "pod-5c20" }
const REVOKED = { id: "triage-bot", instance: "pod-91aa" }
const allowed = (status: number): Outcome => ({ status, code: "" })
const refused = (status: number, code: string): Outcome => ({ status, code })

export async function play(scenery: Scenery, tell: Teller, terminal: Terminal): Promise<void> {
  const task = await startTask(scenery, tell)
  await work(scenery, tell, task)
  await overstep(scenery, tell, task)
  await finish(scenery, tell, task)
  const closed = await approve(scenery, tell)
  await revoke(scenery, tell)
  await Promise.all(scenery.apis.map((api) => api.ask("flush")))
  await showApproval(scenery, tell, closed)
  tell.scene("The auditor reads what happened in the first task")
  const entries = await showLedger(scenery, tell, terminal, task)
  tell.scene("Granted against used")
  await showAccount(scenery, tell, terminal, task, entries)
}

const request = (agent: typeof HOLDER, ticket: string, operations: readonly string[]) => ({
  type: "triage-ticket",
  agent,
  purpose: `Look into ${ticket} and say what to do`,
  inputs: { ticket },
  operations,
})

/** Starts a task at the orchestrator and hands its tokens to the agent. */
async function begin(
  { orchestrator, agent }: Scenery,
  ...asked: Parameters<typeof request>
): Promise<Handover> {
  const handover = await orchestrator.ask<Handover>("start", request(...asked))
  await agent.ask("take", handover)
  return handover
}

async function startTask(scenery: Scenery, tell: Teller): Promise<string> {
  tell.scene("An orchestrator starts a task, and its agent is handed one token")
  const started = await begin(scenery, HOLDER, TICKET, ["tickets:read", "tickets:comment"])
  const [token, ...others] = started.tokens
  tell.must(token !== undefined && others.length === 0, "the task was to get one token")
  const [grant] = (token?.authorizationDetails ?? []).map(asRecord)
  const resources = Array.isArray(grant?.resources) ? grant.resources : []
  tell.must(resources.includes(`tickets/${TICKET}`), "the grant was to name the ticket")
  const minutes = Math.round(((token?.expiresAt ?? 0) - Date.now()) / 60_000)
  tell.step("triage-ticket", `for ${HOLDER.id}/${HOLDER.instance}, ticket ${TICKET}`)
  tell.step(`may ${token?.scope.join(", ")}`, `on ${resources.join(" and ")}`)
  tell.step(`at the tickets API alone, for ${minutes} minutes`)
  return started.task
}

async function work({ agent, tickets }: Scenery, tell: Teller, task: string): Promise<void> {
  tell.scene("The agent does its work")
  const outcome = await agent.ask<Outcome>("attempt", {
    task,
    method: "GET",
    url: `${tickets}/tickets/${TICKET}`,
  })
  tell.request(`GET tickets /tickets/${TICKET}`, outcome, allowed(200), "recorded before it was served")
}

async function overstep(scenery: Scenery, tell: Teller, task: string): Promise<void> {
  const { agent, tickets, deployments } = scenery
  tell.scene("The same valid token is refused")
  const attempt = (method: string, url: string, more = {}) =>
    agent.ask<Outcome>("attempt", { task, method, url, ...more })
  const close = await attempt("POST", `${tickets}/tickets/${TICKET}/close`)
  tell.request(`POST tickets /tickets/${TICKET}/close`, close, refused(403, "operation_not_granted"))
  const other = await attempt("GET", `${tickets}/tickets/${OTHER_TICKET}`)
  tell.request(`GET tickets /tickets/${OTHER_TICKET}`, other, refused(403, "resource_not_granted"))
  const path = "/environments/staging/services/web"
  const elsewhere = await attempt("GET", `${deployments}${path}`, { tokenOf: tickets })
  tell.request(`GET deployments ${path}`, elsewhere, refused(401, "token_invalid"), "made for another API")
}

async function finish({ orchestrator, agent, tickets }: Scenery, tell: Teller, task: string): Promise<void> {
  const began = performance.now()
  await orchestrator.ask("complete", task)
  const given = { task, method: "GET", url: `${tickets}/tickets/${TICKET}`, everyMilliseconds: 200 }
  const outcome = await agent.ask<Outcome>("untilRefused", given)
  const delay = since(began)
  tell.request(
    `GET tickets /tickets/${TICKET}`,
    outcome,
    refused(401, "task_ended"),
    `${delay} after it was completed`,
  )
}

/** A task whose agent asks a person for the one operation that it is not given. */
async function approve(scenery: Scenery, tell: Teller): Promise<string> {
  const { orchestrator, agent, lead, tickets } = scenery
  tell.scene("Another task needs what only a person may allow")
  const dpopJkt = await agent.ask<string>("key")
  const asked = { ...request(ASKER, TICKET, ["tickets:read", "tickets:close"]), dpopJkt }
  const handover = await orchestrator.ask<Handover>("start", asked)
  const question = {
    operation: "tickets:close",
    resource: `tickets/${TICKET}`,
    reason: "The fire is out",
    waitSeconds: 10,
  }
  await agent.ask("takeBound", { ...handover, question })
  const close = { task: handover.task, method: "POST", url: `${tickets}/tickets/${TICKET}/close` }
  const closing = agent.ask<Outcome>("attempt", close)
  const [outcome] = await Promise.all([closing, decide(lead, tell)])
  const line = `POST tickets /tickets/${TICKET}/close`
  tell.request(line, outcome, allowed(200), "with a token for this one use, bound to the agent's key")
  const again = await agent.ask<Outcome>("attempt", close)
  tell.request(line, again, refused(403, "operation_not_granted"), "once more: nobody has agreed to that")
  return handover.task
}

const QUESTION_POLLS = 200
const QUESTION_POLL_MILLISECONDS = 50

async function decide(lead: Scenery["lead"], tell: Teller): Promise<void> {
  let approval = {}
  for (let polls = 0; !("id" in approval) && polls < QUESTION_POLLS; polls++) {
    if (polls > 0) await sleep(QUESTION_POLL_MILLISECONDS)
    const { approvals } = asRecord((await lead.call("GET", "/approvals?state=requested")).body)
    approval = asRecord(Array.isArray(approvals) ? approvals[0] : undefined)
  }
  const { id, operation, resource, reason } = asRecord(approval)
  tell.must(typeof id === "string", "the agent was to ask a person")
  tell.step(`may I ${operation} ${resource}?`, `asked by ${ASKER.id}/${ASKER.instance}: ${reason}`)
  await lead.call("POST", `/approvals/${id}`, { decision: "grant", reason: "Seen it myself" })
  tell.step("a lead agrees", "to this operation on this ticket, once")
}

async function showApproval({ auditor }: Scenery, tell: Teller, task: string): Promise<void> {
  const { body } = await auditor.call("GET", `/ledger/entries?task=${encodeURIComponent(task)}&limit=1000`)
  const { entries } = asRecord(body)
  const kinds = (Array.isArray(entries) ? entries : []).map((entry) => String(asRecord(entry).kind))
  for (const kind of ["approval.requested", "approval.granted", "use.allowed"])
    tell.must(kinds.includes(kind), `the ledger was to hold ${kind}`)
}

async function revoke(scenery: Scenery, tell: Teller): Promise<void> {
  const { agent, operator, orchestrator, tickets } = scenery
  tell.scene(`An operator revokes ${REVOKED.id}/${REVOKED.instance} in the middle of another task`)
  const { task } = await begin(scenery, REVOKED, OTHER_TICKET, ["tickets:read"])
  const given = { task, method: "GET", url: `${tickets}/tickets/${OTHER_TICKET}` }
  tell.request(
    `GET tickets /tickets/${OTHER_TICKET}`,
    await agent.ask<Outcome>("attempt", given),
    allowed(200),
  )
  const value = `${REVOKED.id}/${REVOKED.instance}`
  const began = performance.now()
  await operator.call("POST", "/revocations", { kind: "instance", value, reason: "It behaves oddly" })
  const outcome = await agent.ask<Outcome>("untilRefused", { ...given, everyMilliseconds: 20 })
  const delay = since(began)
  const about = `${delay} after the revocation`
  tell.request(`GET tickets /tickets/${OTHER_TICKET}`, outcome, refused(401, "token_revoked"), about)
  const again = orchestrator.ask("start", request(REVOKED, OTHER_TICKET, ["tickets:read"]))
  const answer = await again.then(
    () => "a task was started",
    (error: unknown) => (error instanceof Error ? error.message : ""),
  )
  tell.must(/lock/i.test(answer), `no task was to start for a locked instance: ${answer}`)
  tell.step("no more tasks start for it", "until an operator lifts the lock")
}

const since = (began: number): string => `${Math.round(performance.now() - began)} ms`
