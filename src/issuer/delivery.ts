// Sends what waits to be told outwards (webhook.ts): each until somebody there says 2xx, or for a day, at least once. It
// decides when a delivery is tried again and when it is given up, and believes nothing of an answer but its status.
import { type Engine, Unexpected } from "../database/database.ts"
import type { Keyring } from "../keys/keyring.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { Unreachable } from "../remote/exchange.ts"
import { postDocument } from "../remote/outward.ts"
import { SECURITY_EVENT_TYPE, signSecurityEvent } from "../token/security-event.ts"
import { TRIED_MILLISECONDS, type Webhook } from "./webhook.ts"
import {
  claimDelivery,
  countDeliveries,
  type DeliveryRow,
  deleteDelivery,
  dueDeliveries,
  overdueDeliveries,
} from "./webhook-statements.ts"

export interface DeliveriesOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly keyring: Pick<Keyring, "current">
  readonly webhooks: readonly Webhook[]
  readonly onFault: (error: unknown) => void
}

export interface Deliveries {
  /** For each address, one look at what is due there: none waits for another. */
  readonly looks: readonly (() => Promise<void>)[]
  /** Gives up what was tried for a day, and counts what waits; every few seconds is meant. */
  tend(): Promise<void>
  /** As of the last time that was tended to: how many wait, and how many have for more than ten minutes. */
  standing(): Standing
  /** Calls off what is being sent: it stays, and is tried again. */
  stop(): void
}

interface Standing {
  readonly waiting: number
  readonly late: number
}

/** What was to be told was not taken for a day, or an address no longer named was left with it. Names no path. */
class Abandoned extends Error {
  override readonly name = "Abandoned"
}

const AT_ONCE = 8
/** Longer than sending takes, so that what one issuer sends is not due for another. */
const FIRST_MILLISECONDS = 20_000
const LONGEST_MILLISECONDS = 3_600_000
const LATE_MILLISECONDS = 600_000

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { engine, ledger, webhooks } = options
  const ending = new AbortController()
  let standing: Standing = { waiting: 0, late: 0 }
  return {
    looks: webhooks.map((webhook) => () => sendDue(options, webhook, ending.signal)),
    async tend() {
      await giveUp(options)
      const late = ledger.at() + TRIED_MILLISECONDS - LATE_MILLISECONDS
      const [counted] = await engine.query(countDeliveries, { late })
      standing = counted ?? standing
    },
    standing: () => standing,
    stop: () => ending.abort(),
  }
}

/** Goes on while there is more and all of it is taken; one that is not ends the look, so that a dead address costs little. */
async function sendDue(options: DeliveriesOptions, webhook: Webhook, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { address } = webhook
    const now = options.ledger.at()
    const due = await options.engine.query(dueDeliveries, { address, now, limit: AT_ONCE })
    const sent = await Promise.all(due.map((row) => send(options, webhook, row, signal)))
    if (due.length < AT_ONCE || signal.aborted || !sent.every(Boolean)) return
  }
}

/** Answers false when it stays. */
async function send(
  { engine, ledger, keyring }: DeliveriesOptions,
  { address, outward }: Webhook,
  { id, due, attempts, claims }: DeliveryRow,
  signal: AbortSignal,
): Promise<boolean> {
  const next = Math.ceil(ledger.at() + waitAfter(attempts))
  try {
    await engine.atomically([{ statement: claimDelivery, values: { id, due, next }, rows: 1 }])
  } catch (cause) {
    if (cause instanceof Unexpected) return true // another issuer's
    throw cause
  }
  const text = await signSecurityEvent(claims, keyring.current())
  try {
    await postDocument(address, outward, { type: SECURITY_EVENT_TYPE, text, signal })
  } catch (cause) {
    if (cause instanceof Unreachable) return false // its time is moved already
    throw cause
  }
  await engine.atomically([{ statement: deleteDelivery, values: { id } }])
  return true
}

/** Doubling to an hour, the upper half of it by chance, so that issuers don't come back together. */
export function waitAfter(attempts: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_MILLISECONDS, FIRST_MILLISECONDS * 2 ** Math.min(attempts, 20))
  return whole / 2 + (whole / 2) * random()
}

/** Written down one by one, and told to the log once for each address. */
async function giveUp({ engine, ledger, onFault }: DeliveriesOptions): Promise<void> {
  const now = ledger.at()
  const over = await engine.query(overdueDeliveries, { now, limit: 100 })
  const counts = new Map<string, number>()
  for (const { id, jti, address, attempts } of over) {
    const { host } = new URL(address)
    const event = { kind: "webhook.abandoned" as const, at: now, body: { event: jti, host, attempts } }
    try {
      await engine.atomically([
        { statement: deleteDelivery, values: { id }, rows: 1 },
        ...ledger.steps(event),
      ])
      counts.set(host, (counts.get(host) ?? 0) + 1)
    } catch (cause) {
      if (!(cause instanceof Unexpected)) throw cause
    }
  }
  for (const [host, count] of counts)
    onFault(new Abandoned(`The webhook at ${host} did not take ${count} event(s) within a day`))
}
