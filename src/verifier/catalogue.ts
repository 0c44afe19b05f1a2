// How old the knowledge of revocations may be for an operation: by its risk, as the issuer's catalogue says. An operation
// that the catalogue does not name is held to be of high risk. It tells where the policy has another name for this API, and decides
// nothing about what an operation may do.
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import type { Spool } from "../spool/spool.ts"

export interface Catalogue {
  /** Throws Unreachable, or CatalogueFault; what was known stays. */
  refresh(): Promise<void>
  /** Milliseconds; Infinity where a token's own end is bound enough. */
  stalenessLimit(operation: string): number
  /** Where the policy, when it was last asked, had another resource for this API: what that means, in words. */
  complaint(): string | undefined
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

/** Known, and the name of this API as the policy has it. */
interface Told extends Known {
  readonly resource: unknown
}

const LIMITS = { maxBytes: 1024 * 1024, timeoutMilliseconds: 5000 }
/** The contract's bounds; the issuer may tighten them, never widen. */
const HIGH_SECONDS = 30
const MODERATE_SECONDS = 300

/** Reads what the spool knows; sends nothing until refreshed. */
export function createCatalogue(options: {
  readonly calls: IssuerCalls
  readonly spool: Spool
  /** Of this API, as its host has it. */
  readonly resource: string
}): Catalogue {
  const { calls, spool, resource } = options
  const kept = spool.kept("catalogue")
  let known: Known = (kept === undefined ? undefined : read(kept)) ?? {
    risks: new Map<string, string>(),
    highSeconds: HIGH_SECONDS,
    moderateSeconds: MODERATE_SECONDS,
  }
  // Not of what the spool kept: that may be of another time.
  let theirs: unknown
  return {
    async refresh() {
      const { status, text } = await calls({ method: "GET", path: "/catalogue" }, LIMITS)
      const fresh = status === 200 ? read(text) : undefined
      if (!fresh) throw new CatalogueFault(`the answer of /catalogue (${status}) is no catalogue`)
      known = fresh
      theirs = fresh.resource
      if (spool.kept("catalogue") !== text) await spool.keep("catalogue", text)
    },
    stalenessLimit(operation) {
      const risk = known.risks.get(operation)
      if (risk === "low") return Number.POSITIVE_INFINITY
      return (risk === "moderate" ? known.moderateSeconds : known.highSeconds) * 1000
    },
    complaint: () =>
      typeof theirs !== "string" || theirs === resource
        ? undefined
        : `the policy has this API as ${theirs}, and this verifier is for ${resource}: tokens of that one are refused here`,
  }
}

function read(text: string): Told | undefined {
  const { operations, staleness_seconds: staleness, resource } = members(parsed(text))
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
    resource,
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
