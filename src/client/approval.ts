// Asking a person, for one call that needs it: the agent puts the question with its own token or by its credential, waits,
// and collects the answer as a token for that call. It decides how long is waited; what is asked is the agent's, what comes of
// it the issuer's.
import { createBackoff } from "../remote/backoff.ts"
import { exchange } from "../remote/exchange.ts"
import { toEpochSeconds } from "../time.ts"
import { signProof } from "../token/proof.ts"
import { ClientError } from "./error.ts"
import type { TaskTokenHeld } from "./held-token.ts"
import { againWhenReset, asRecord, type IssuerCalls, reach, readBody, refusalOf } from "./issuer-call.ts"
import { type Exchanging, exchangeToken } from "./own-token.ts"
import type { Surroundings } from "./surroundings.ts"
import { misread, readExchanged, readTokens } from "./token-answer.ts"

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
  readonly around: Surroundings
  /** The body of an answer that is 2xx. Throws ClientError. The same question may be put twice: it is not asked again. */
  readonly send: (method: "GET" | "POST", path: string, body?: object) => Promise<unknown>
  /** The token of a granted approval. Throws ClientError. */
  readonly collect: (approval: string, api: string) => Promise<TaskTokenHeld>
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
  return asking.collect(approval.id, api)
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

async function ask({ send }: Asking, ...call: Parameters<Asking["send"]>): Promise<Approval> {
  const { id, state } = asRecord(await send(...call))
  if (typeof id !== "string" || typeof state !== "string") throw misread()
  return { id, state }
}

type Way = Pick<Asking, "send" | "collect">

/** The agent's own token, which `own` gives live, is the credential, with a proof by its key (RFC 9449). */
export const byOwnToken = (exchanging: Exchanging, own: () => Promise<TaskTokenHeld>): Way => ({
  send: async (method, path, body) =>
    sendProven(exchanging, (await own()).token.reveal(), method, path, body),
  async collect(approval, api) {
    const { asked, body } = await exchangeToken(await own(), exchanging, { approval })
    return readExchanged(body, api, asked)
  },
})

/** The agent authenticates by itself: it needs no token of its own. */
export const byCredential = (calls: IssuerCalls, { task, around }: Pick<Asking, "task" | "around">): Way => ({
  send: async (method, path, body) => (await calls.call(method, path, body, true)).body,
  async collect(approval) {
    const asked = around.clock.now()
    const path = `/tasks/${encodeURIComponent(task)}/tokens`
    const { body } = await calls.call("POST", path, { approval }, true)
    const [token] = readTokens(asRecord(body).tokens, asked)
    if (!token) throw misread()
    return token
  },
})

async function sendProven(
  { issuer, address, key, clock }: Exchanging,
  accessToken: string,
  method: "GET" | "POST",
  path: string,
  body: object | undefined,
): Promise<unknown> {
  const send = () => {
    const url = `${issuer.replace(/\/$/, "")}${path}`
    const dpop = signProof({ method, url, accessToken, now: toEpochSeconds(clock.now()) }, key)
    const headers = { authorization: `DPoP ${accessToken}`, dpop }
    const json = body && { "content-type": "application/json" }
    const init = { method, headers: { ...headers, ...json }, ...(body && { body: JSON.stringify(body) }) }
    return exchange(`${address}${path}`, init, LIMITS)
  }
  const answer = await reach(address, () => send().catch(againWhenReset(send)))
  if (answer.status < 200 || answer.status > 299) throw refusalOf(answer)
  return readBody(answer)
}

const undecided = () =>
  new ClientError("Nobody has decided yet", { code: "approval_pending", status: 403, next: "wait" })
