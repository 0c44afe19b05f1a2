// What is told outwards, to addresses that the operator named. It decides which entries are told, and of them ids and codes
// alone: no purpose, reason, resource, parameters or person. Sending is delivery.ts's. What waits is written in the
// transaction of its entry, for whichever room writes that, so neither happens without the other.
import type { Step, Values } from "../database/database.ts"
import type { Event, Kind } from "../ledger/event.ts"
import { type Outward, urlFault } from "../remote/outward.ts"
import { toEpochSeconds } from "../time.ts"
import { newId } from "../token/id.ts"
import { securityEventClaims } from "../token/security-event.ts"
import { insertDelivery } from "./webhook-statements.ts"

export interface WebhookOptions {
  /** URLs that each event is posted to: https, without a user or a fragment. At most 10. */
  readonly addresses: readonly string[]
  /** Hosts of these URLs that may be at private addresses; on loopback they may be plain http, too. Default none. */
  readonly privateHosts?: readonly string[]
}

/** One address, checked. */
export interface Webhook {
  readonly address: string
  /** Its origin: `aud` of what it is told. */
  readonly audience: string
  /** What may be said of it: its path can hold a secret. */
  readonly host: string
  readonly outward: Outward
}

/** How long a delivery is tried. */
export const TRIED_MILLISECONDS = 86_400_000

const MOST_ADDRESSES = 10

/** Throws TypeError, which names the host and not the address. */
export function readWebhooks({ addresses, privateHosts = [] }: WebhookOptions): readonly Webhook[] {
  const webhooks = addresses.map((address) => readWebhook(address, privateHosts))
  const known = new Set(webhooks.map(({ address }) => address))
  if (known.size < webhooks.length) throw new TypeError("a webhook is named twice")
  if (known.size > MOST_ADDRESSES) throw new TypeError(`there are more than ${MOST_ADDRESSES} webhooks`)
  const stray = privateHosts.find((host) => !webhooks.some((one) => one.host === host))
  if (stray !== undefined) throw new TypeError(`no webhook is at the private host ${stray}`)
  return webhooks
}

function readWebhook(text: string, privateHosts: readonly string[]): Webhook {
  if (!URL.canParse(text)) throw new TypeError("a webhook is no URL")
  const url = new URL(text)
  const host = url.hostname
  const outward = { privateAddresses: privateHosts.includes(host) }
  const fault = urlFault(url, outward)
  if (fault !== undefined) throw new TypeError(`a webhook can't be told: ${fault}`)
  if (url.username !== "" || url.password !== "" || url.hash !== "")
    throw new TypeError(`the webhook at ${host} has a user or a fragment`)
  return { address: url.href, audience: url.origin, host, outward }
}

/** The entries that are told. */
const TOLD: ReadonlySet<Kind> = new Set<Kind>([
  "approval.requested",
  "approval.granted",
  "approval.denied",
  "approval.expired",
  "alarm.raised",
  "alarm.cleared",
  "verifier.silent",
  "verifier.returned",
  "token.exposed",
])

/** Members of an entry, and of its body, that are ids or codes in each of these. */
const TOLD_MEMBERS = ["task", "agent", "instance", "orchestrator", "api", "operation", "code"] as const
const TOLD_OF_BODY = ["approval", "verifier", "jkt", "since", "type"] as const

/** What an entry puts on its way, for `createLedger`. */
export function tellOf(issuer: string, webhooks: readonly Webhook[]): (event: Event) => readonly Step[] {
  if (webhooks.length === 0) return () => []
  return (event) =>
    TOLD.has(event.kind) ? webhooks.map((webhook) => deliveryStep(issuer, webhook, event)) : []
}

function deliveryStep(issuer: string, { address, audience }: Webhook, event: Event): Step {
  const { kind, at, task } = event
  const jti = newId("evt", at)
  const claims = securityEventClaims({
    issuer,
    audience,
    jti,
    at: toEpochSeconds(at),
    ...(task !== undefined && { task }),
    kind,
    facts: factsOf(event),
  })
  const values: Values = { jti, address, claims, due: at, until: at + TRIED_MILLISECONDS }
  return { statement: insertDelivery, values, rows: 1 }
}

function factsOf(event: Event): Record<string, string | number> {
  const { body = {} } = event
  const told = [
    ...TOLD_MEMBERS.map((name) => [name, event[name]] as const),
    ...TOLD_OF_BODY.map((name) => [name, body[name]] as const),
  ]
  return Object.fromEntries(
    told.flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" ? [[name, value]] : [],
    ),
  )
}
