// Asking a person, for one call that needs it: the agent puts the question with its own token, waits, and collects the answer
// as a token for that call. It decides how long is waited; what is asked is the agent's, what comes of it the issuer's.
import { createBackoff } from "../remote/backoff.ts"
import { exchange } from "../remote/exchange.ts"
import { toEpochSeconds } from "../time.ts"
import { signProof } from "../token/proof.ts"
import { ClientError } from "./error.ts"
import type { TaskTokenHeld } from "./held-token.ts"
import { againWhenReset, asRecord, reach, readBody, refusalOf } from "./issuer-call.ts"
import { type Exchanging, exchangeToken } from "./own-token.ts"
import type { Surroundings } from "./surroundings.ts"
import { misread, readExchanged } from "./token-answer.ts"

/** What a person is asked. Operation, resource and parameters are what the approved call may then do, and nothing else. */
export interface ApprovalQuestion {
  readonly operation: string
  /** Segments joined by `/`: `tickets/SUP-1042`. */
  readonly resource: string
  /** Why, for the person who decides. */
  readonly reason: string
  /** JSON up to 8 KiB, shown to that person. */
  readonly parameters?: unknown
  /** How long the call waits for the answer. Default: an hour. */
  readonly waitSeconds?: number
}

/** The call that was refused. */
export interface RefusedCall {
  readonly code: string
  readonly method: string
  readonly url: string
}

/** Says what to ask, or undefined: then the refusal is thrown. */
export type AskApproval = (
  refused: RefusedCall,
) => ApprovalQuestion | undefined | Promise<ApprovalQuestion | undefined>

export interface Asking {
  readonly task: string
  readonly exchanging: Exchanging
  readonly around: Surroundings
  /** The agent's own token, live. */
  own(): Promise<TaskTokenHeld>
}

const LIMITS = { maxBytes: 256 * 1024, timeoutMilliseconds: 10_000 }
const WAIT_SECONDS = 3600

/** The token for the approved call. Throws ClientError: `approval_pending` where nobody decided in time. */
export async function askApproval(
  asking: Asking,
  question: ApprovalQuestion,
  api: string,
  signal: AbortSignal | null | undefined,
): Promise<TaskTokenHeld> {
  const { around } = asking
  const { operation, resource, reason, parameters, waitSeconds = WAIT_SECONDS } = question
  const giveUpAt = around.clock.now() + waitSeconds * 1000
  const backoff = createBackoff(2000, 30_000, () => around.random())
  const body = {
    task_id: asking.task,
    operation,
    resource,
    reason,
    ...(parameters !== undefined && { parameters }),
  }
  let approval = await ask(asking, "POST", "/approvals", body)
  while (approval.state === "requested") {
    const rest = backoff.next()
    if (around.clock.now() + rest > giveUpAt) throw undecided()
    await around.sleep(rest, signal)
    approval = await look(asking, approval)
  }
  // Whether it was granted, and still stands, the issuer says when it mints.
  const { asked, body: answer } = await exchangeToken(await asking.own(), asking.exchanging, {
    approval: approval.id,
  })
  return readExchanged(answer, api, asked)
}

interface Approval {
  readonly id: string
  readonly state: string
}

/** An issuer that is away for a while has not said no. */
async function look(asking: Asking, approval: Approval): Promise<Approval> {
  try {
    return await ask(asking, "GET", `/approvals/${encodeURIComponent(approval.id)}`)
  } catch (error) {
    if (error instanceof ClientError && error.next === "wait") return approval
    throw error
  }
}

/** The agent's own token is the credential, with a proof by its key (RFC 9449). */
async function ask(
  { exchanging, own }: Asking,
  method: "GET" | "POST",
  path: string,
  body?: object,
): Promise<Approval> {
  const { issuer, address, key, clock } = exchanging
  const accessToken = (await own()).token.reveal()
  const send = () => {
    const url = `${issuer.replace(/\/$/, "")}${path}`
    const dpop = signProof({ method, url, accessToken, now: toEpochSeconds(clock.now()) }, key)
    const headers = { authorization: `DPoP ${accessToken}`, dpop }
    const json = body && { "content-type": "application/json" }
    const init = { method, headers: { ...headers, ...json }, ...(body && { body: JSON.stringify(body) }) }
    return exchange(`${address}${path}`, init, LIMITS)
  }
  // The same question that is open already is not asked again, so it may be put twice.
  const answer = await reach(address, () => send().catch(againWhenReset(send)))
  if (answer.status < 200 || answer.status > 299) throw refusalOf(answer)
  const { id, state } = asRecord(readBody(answer))
  if (typeof id !== "string" || typeof state !== "string") throw misread()
  return { id, state }
}

const undecided = () =>
  new ClientError("Nobody has decided yet", { code: "approval_pending", status: 403, next: "wait" })
