// What happened at a real issuer, as an auditor reads it: a task with uses, one that a sub-agent had a part in, one whose agent
// had no key.
import type { Entry } from "../../src/ledger/entry.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { newId } from "../../src/token/id.ts"
import { signBatch } from "./batch.ts"
import { claimsOf, openCrew } from "./crew.ts"
import { ISSUER, START, TICKETS } from "./issuer-house.ts"

const INSTANCE = "01923456-789a-7bcd-8ef0-123456789abc"

export interface Happened {
  readonly entries: readonly Entry[]
  /** The files of the policy that decided. */
  readonly policyFolder: string
}

/** Runs the story and hands what it left to `look`; the issuer is gone afterwards. */
export async function happen<T>(look: (happened: Happened) => Promise<T>): Promise<T> {
  const crew = await openCrew()
  const { house } = crew
  try {
    const bot = await crew.start()
    const helper = await crew.delegate(bot, "summarizer/pod-2", { scope: "tickets:read" })
    const keyless = await crew.start({ dpop_jkt: undefined, inputs: { ticket: "OPS-7" } })
    const now = house.clock.now()
    const useOf = (token: string, actor: string, operation: string, ...resource: string[]) => ({
      id: newId("use", now),
      at: toInstant(now),
      task: String(claimsOf(token).txn),
      jti: String(claimsOf(token).jti),
      actor,
      client: "support-orchestrator",
      api: TICKETS,
      operation,
      resource,
      decision: "allowed" as const,
      status: 200,
    })
    const uses = [
      useOf(bot.tickets, "triage-bot/pod-1", "tickets:read", "tickets", "SUP-1042"),
      useOf(bot.tickets, "triage-bot/pod-1", "tickets:comment", "tickets", "SUP-1042", "comments"),
      useOf(helper.tickets, "summarizer/pod-2", "tickets:read", "tickets", "SUP-1042"),
      useOf(keyless.tickets, "triage-bot/pod-1", "tickets:read", "tickets", "OPS-7"),
    ]
    const frame = {
      iss: "tickets",
      aud: ISSUER,
      iat: toEpochSeconds(now),
      instance: INSTANCE,
      sequence: 1,
      previous: null,
    }
    const batch = { ...frame, cursor: 0, applied_at: null, checkpoint: null, final: false, uses }
    const body = signBatch(batch, house.proofKeyOf("tickets"))
    const headers = { "content-type": "application/jwt" }
    const taken = await house.ask("POST", "/uses", { as: "tickets", headers, body })
    if (taken.status !== 200 || helper.status !== 200) throw new Error(`${taken.status} ${helper.status}`)
    await house.ask("POST", "/tasks", { as: "support-orchestrator", json: { ...START, type: "unknown" } })
    const read = await house.ask("GET", "/ledger/entries?limit=1000", { as: "audit-team" })
    return await look({ entries: read.body.entries as Entry[], policyFolder: house.policyFolder })
  } finally {
    await crew.remove()
  }
}
