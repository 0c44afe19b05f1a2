// How old the knowledge of revocations may be for an operation: by its risk, as the issuer's catalogue says. An operation
// that the catalogue does not name is held to be of high risk. It decides nothing about what an operation may do.
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import type { Spool } from "../spool/spool.ts"

export interface Catalogue {
  /** Throws Unreachable, or CatalogueFault; what was known stays. */
  refresh(): Promise<void>
  /** Milliseconds; Infinity where a token's own end is bound enough. */
  stalenessLimit(operation: string): number
}

/** The catalogue's answer makes no sense. */
class CatalogueFault extends Error {
  override readonly name = "CatalogueFault"
}

interface Known {
  readonly risks: ReadonlyMap<string, string>
  readonly highSeconds: number
  readonly moderateSeconds: number
}

const LIMITS = { maxBytes: 1024 * 1024, timeoutMilliseconds: 5000 }
/** The contract's bounds; the issuer may tighten them, never widen. */
const HIGH_SECONDS = 30
const MODERATE_SECONDS = 300

/** Reads what the spool knows; sends nothing until refreshed. */
export function createCatalogue(options: { readonly calls: IssuerCalls; readonly spool: Spool }): Catalogue {
  const { calls, spool } = options
  const kept = spool.kept("catalogue")
  let known = (kept === undefined ? undefined : read(kept)) ?? {
    risks: new Map<string, string>(),
    highSeconds: HIGH_SECONDS,
    moderateSeconds: MODERATE_SECONDS,
  }
  return {
    async refresh() {
      const { status, text } = await calls({ method: "GET", path: "/catalogue" }, LIMITS)
      const fresh = status === 200 ? read(text) : undefined
      if (!fresh) throw new CatalogueFault(`the answer of /catalogue (${status}) is no catalogue`)
      known = fresh
      if (spool.kept("catalogue") !== text) await spool.keep("catalogue", text)
    },
    stalenessLimit(operation) {
      const risk = known.risks.get(operation)
      if (risk === "low") return Number.POSITIVE_INFINITY
      return (risk === "moderate" ? known.moderateSeconds : known.highSeconds) * 1000
    },
  }
}

function read(text: string): Known | undefined {
  const { operations, staleness_seconds: staleness } = members(parsed(text))
  if (!Array.isArray(operations)) return undefined
  const { high, moderate } = members(staleness)
  const risks = new Map<string, string>()
  for (const one of operations) {
    const { operation, risk } = members(one)
    if (typeof operation !== "string" || typeof risk !== "string") return undefined
    risks.set(operation, risk)
  }
  return {
    risks,
    highSeconds: atMost(high, HIGH_SECONDS),
    moderateSeconds: atMost(moderate, MODERATE_SECONDS),
  }
}

const atMost = (value: unknown, limit: number) =>
  typeof value === "number" && value > 0 ? Math.min(value, limit) : limit

const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (fault) {
    if (fault instanceof SyntaxError) return undefined
    throw fault
  }
}
