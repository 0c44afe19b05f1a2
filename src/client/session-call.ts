// One request of a session, from the token it takes to the answer it ends with: what is done after a refusal, by the `next`
// that it names. It decides how often and how long; what the refusals mean stands in errors.ts.
import { createBackoff } from "../remote/backoff.ts"
import { readRetryAfter } from "../remote/exchange.ts"
import { ClientError } from "./error.ts"
import { notGranted, tokenFor } from "./fetch.ts"
import type { TaskTokenHeld } from "./held-token.ts"
import type { Keeper } from "./keeper.ts"
import type { Proofs } from "./proofs.ts"
import { isBusy, readRefusal } from "./refusal.ts"
import type { Sending, Sent } from "./sending.ts"
import type { Surroundings } from "./surroundings.ts"

export interface SessionParts {
  readonly keeper: Keeper
  readonly proofs: Proofs
  readonly around: Surroundings
  /** How long one request waits in all, for tokens and for APIs that say so. */
  readonly waitMilliseconds: number
  /** The tokens that calls may carry: those of APIs. */
  readonly tokens: () => readonly TaskTokenHeld[]
  /** What to do about `ask_approval`: the token to try again with, or undefined where nobody is asked. */
  readonly ask?: (
    refusal: ClientError,
    held: TaskTokenHeld,
    sending: Sending<unknown>,
  ) => Promise<TaskTokenHeld | undefined>
}

/** What was tried already for this request. */
interface Tries {
  giveUpAt: number
  readonly pause: () => number
  renewed: boolean
  proven: boolean
  asked: boolean
  /** A token for this one request. */
  approved: TaskTokenHeld | undefined
}

export async function callApi<T>(parts: SessionParts, sending: Sending<T>): Promise<T> {
  const { url, method, signal, repeatable } = sending
  const tries = begin(parts)
  for (;;) {
    signal?.throwIfAborted()
    const held = tries.approved ?? (await tokenOf(parts, url, tries.giveUpAt, signal))
    const sent = await sending.send(await parts.proofs.headersOf(held, method, url))
    const nonceWanted = parts.proofs.note(url, sent)
    const refusal = await readRefusal(sent)
    const again = nonceWanted && !tries.proven && repeatable
    if (again) tries.proven = true
    else if (refusal) await afterRefusal(parts, refusal, held, sending, tries)
    else if (!isBusy(sent) || !(await waited(parts, sent, sending, tries))) return sent.answer
    await sent.discard()
  }
}

/** The live token for a URL. ClientError `url_not_granted` where there is none. */
export function tokenOf(
  parts: SessionParts,
  target: URL,
  giveUpAt: number,
  signal?: AbortSignal | null,
): Promise<TaskTokenHeld> {
  parts.keeper.check()
  const held = tokenFor(parts.tokens(), target)
  if (!held) throw notGranted(parts.tokens(), target)
  return parts.keeper.fresh(held.resource, giveUpAt, signal)
}

export const giveUpAtOf = ({ around, waitMilliseconds }: SessionParts): number =>
  around.clock.now() + waitMilliseconds

function begin(parts: SessionParts): Tries {
  const backoff = createBackoff(500, 15_000, () => parts.around.random())
  const giveUpAt = giveUpAtOf(parts)
  return {
    giveUpAt,
    pause: () => backoff.next(),
    renewed: false,
    proven: false,
    asked: false,
    approved: undefined,
  }
}

/** Resolves when the request may be sent again; else throws the refusal, or what came of acting on it. */
async function afterRefusal(
  parts: SessionParts,
  refusal: ClientError,
  held: TaskTokenHeld,
  sending: Sending<unknown>,
  tries: Tries,
): Promise<void> {
  const once = !sending.repeatable
  const { keeper } = parts
  if (refusal.next === "renew" && !once && !tries.renewed) {
    tries.renewed = true
    if (PROOF.test(refusal.code)) return // a fresh proof is made for every sending
    if (!keeper.renews) throw refusal
    return keeper.replace(held)
  }
  if (refusal.next === "wait" && !once && (await rested(parts, refusal.retryAfterSeconds, sending, tries)))
    return refusal.code === "task_paused" ? resumed(keeper, held) : undefined
  if (mayBeApproved(refusal) && !once && !tries.asked && parts.ask) {
    tries.asked = true
    tries.approved = await parts.ask(refusal, held, sending)
    // How long a person may take, the question says: it is none of what is waited for tokens and APIs.
    tries.giveUpAt = giveUpAtOf(parts)
    if (tries.approved) return
  }
  throw refusal
}

/** A guard knows the token alone: that a person could open what it does not grant, only the policy says. */
const mayBeApproved = ({ next, code }: ClientError): boolean =>
  next === "ask_approval" || code === "operation_not_granted"

const PROOF = /^proof_/

/** After a pause the earlier tokens stay ended: only a renewed one shows that the task goes on. */
async function resumed(keeper: Keeper, held: TaskTokenHeld): Promise<void> {
  await keeper.replace(held).catch((error: unknown) => {
    if (!(error instanceof ClientError) || error.next !== "wait") throw error
  })
}

/** False where there is no time left for it. Jitter keeps those who were sent away together from coming back so. */
async function rested(
  { around }: SessionParts,
  seconds: number | undefined,
  { signal }: Sending<unknown>,
  tries: Tries,
): Promise<boolean> {
  const pause = tries.pause()
  const rest = (seconds ?? 0) * 1000 + pause
  if (around.clock.now() + rest > tries.giveUpAt) return false
  await around.sleep(rest, signal)
  return true
}

/** A 503 in the API's own words may come from behind the guard: only what changes nothing is sent again. */
const waited = async (
  parts: SessionParts,
  sent: Sent<unknown>,
  sending: Sending<unknown>,
  tries: Tries,
): Promise<boolean> =>
  SAFE.has(sending.method) &&
  sending.repeatable &&
  rested(parts, readRetryAfter(sent.headers), sending, tries)

const SAFE = new Set(["GET", "HEAD", "OPTIONS"])
