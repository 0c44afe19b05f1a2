// What `scan` asks of the issuer about what it found, and what it has done about it: tokens are told by id, and where they
// were found. It decides what is worth asking; no token leaves this computer.
import { ClientError } from "../client/error.ts"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import type { Finding } from "../exposure/findings.ts"
import { exchange, Unreachable } from "../remote/exchange.ts"
import { KeyFault, readKeySet } from "../token/signature.ts"
import type { KeyOf } from "../token/signed.ts"
import { forTerminal } from "./escape.ts"
import { awaitApplied } from "./revoke.ts"

type View = Readonly<Record<string, unknown>>

/** What became of a finding. */
export interface Answered {
  readonly finding: Finding
  /** Undefined: it was not asked about. */
  readonly told?: View | undefined
  /** What was ended and locked. */
  readonly ended: readonly View[]
}

/** What is ended: a live token alone, or with it whoever held it. */
export type Ending = "token" | "instance"

const AT_ONCE = 20
const LONGEST_NAME = 400
const KEYS = { maxBytes: 65_536, timeoutMilliseconds: 10_000 }

/** The issuer's keys as it publishes them, which anybody may ask for. Throws Unreachable. */
export async function keysOf(issuer: string): Promise<KeyOf> {
  const { status, text } = await exchange(`${issuer.replace(/\/$/, "")}/.well-known/jwks.json`, {}, KEYS)
  const keys = status === 200 ? readKeySet(parsed(text)) : new KeyFault("format")
  if (keys instanceof KeyFault) throw new Unreachable("the issuer answered no key set")
  return (kid) => keys.get(kid)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // refused as no key set
  }
}

/** A forged one is of nobody, and its id may be another's; a service token has no task, and the issuer no row of it. */
const isAsked = ({ standing, jti, task }: Finding): boolean =>
  jti !== undefined && standing !== "forged" && (task !== undefined || standing === "cut")

/** Asks about each, which also writes down that it was found. Throws ClientError. */
export async function tell(issuer: IssuerCalls, findings: readonly Finding[]): Promise<Answered[]> {
  const asked = findings.filter(isAsked)
  const answers = new Map<Finding, View>()
  for (let from = 0; from < asked.length; from += AT_ONCE) {
    const part = asked.slice(from, from + AT_ONCE)
    const { body } = await issuer.call("POST", "/exposures", { exposures: part.map(onWire) })
    const { exposures } = asRecord(body)
    for (const [index, one] of (Array.isArray(exposures) ? exposures : []).entries()) {
      const finding = part[index]
      if (finding) answers.set(finding, asRecord(one))
    }
  }
  return findings.map((finding) => ({ finding, told: answers.get(finding), ended: [] }))
}

/** Names are told as they would be shown, their ends where they are long: a name can hold what is no text. */
const onWire = ({ jti, standing, places, found }: Finding) => ({
  jti,
  standing,
  found,
  places: places.map(({ file, line }) => ({ file: forTerminal(file).slice(-LONGEST_NAME) || "-", line })),
})

/**
 * Ends what still lives, and locks its holder where that is wanted. Only what is genuine: ids stand in logs and in the ledger,
 * and whoever writes one into a file must not end its token so. Where the issuer did not take an order, `failed` says why and
 * what was ended until then is answered.
 */
export async function end(
  issuer: IssuerCalls,
  answered: readonly Answered[],
  how: { readonly ending: Ending; readonly reason: string },
): Promise<{ readonly answered: readonly Answered[]; readonly failed: string | undefined }> {
  const ended = new Map(answered.map((one) => [one, [] as View[]]))
  let failed: string | undefined
  try {
    for (const { one, kind, value } of ordersOf(answered, how.ending)) {
      const { body } = await issuer.call("POST", "/revocations", { kind, value, reason: how.reason })
      ended.get(one)?.push(asRecord(body))
    }
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    failed = error.message
  }
  const all = [...ended].map(async ([one, orders]) => ({ ...one, ended: await applied(issuer, orders) }))
  return { answered: await Promise.all(all), failed }
}

function ordersOf(answered: readonly Answered[], ending: Ending) {
  const live = answered.filter(
    ({ finding, told }) => finding.standing === "genuine" && told?.state === "live",
  )
  const locked = new Set<string>()
  return live.flatMap((one) => {
    const { jti = "", holder = "" } = one.finding
    const orders: { one: Answered; kind: Ending; value: string }[] = [{ one, kind: "token", value: jti }]
    // The holder of a canary never had it.
    if (ending === "instance" && holder !== "" && one.told?.canary !== true && !locked.has(holder)) {
      locked.add(holder)
      orders.push({ one, kind: "instance", value: holder })
    }
    return orders
  })
}

const applied = (issuer: IssuerCalls, ended: readonly View[]): Promise<View[]> =>
  Promise.all(ended.map((view) => awaitApplied(issuer, view)))
