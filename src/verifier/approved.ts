// What a person approved, held against a request: the parameters that were shown, and for one use, which the issuer is asked
// for before the handler runs. It decides nothing about operation and resource; those were decided before.
import { type Code, type Refusal, refuse } from "../errors.ts"
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import type { Grant } from "../token/authority.ts"
import { canonicalParameters } from "../token/parameters.ts"
import type { TaskToken } from "../token/token.ts"

/** What the handler acts on, asked of the host when it is needed. */
export type Given = () => unknown

/** Of a use that is about to be allowed by that grant. */
export interface BoundUse {
  readonly token: TaskToken
  readonly grant: Grant
  /** The id under which it will be recorded. */
  readonly use: string
  /** What was asked about the token and the record before, asked again: whoever sends the parameters decides how long they take. */
  readonly still: () => Refusal | undefined
}

export interface ApprovedUses {
  /**
   * Undefined where it may pass: the digest fits, everything still stands, and where the grant is for one use, the issuer has
   * given it to this one. Cheap checks come first, so that a use that is refused costs nobody the one use that there is.
   */
  judge(bound: BoundUse, given: Given | undefined): Promise<Refusal | undefined>
}

/** No longer than for other acknowledgements. */
const CLAIM_LIMITS = { maxBytes: 4096, timeoutMilliseconds: 5000 }

/** No approval binds it. */
export const isFree = ({ parameters, once }: Grant): boolean => parameters === undefined && !once

export function createApprovedUses(calls: IssuerCalls): ApprovedUses {
  return {
    async judge({ token, grant, use, still }, given) {
      if (grant.parameters !== undefined && (await digestOf(given)) !== grant.parameters)
        return refuse("parameters_not_granted", "parameters")
      const over = still()
      if (over || !grant.once) return over
      const body = JSON.stringify({ jti: token.jti, use })
      const headers = { "content-type": "application/json" }
      const call = { method: "POST", path: "/uses/claims", headers, body } as const
      const answer = await calls(call, CLAIM_LIMITS).catch(() => undefined)
      if (answer?.status !== 200) return refuse("temporarily_unavailable", "unclaimed")
      return refusalOf(answer.text)
    },
  }
}

/** Undefined where there is none that could fit: it was not found, or is not JSON of a size that is approved. */
async function digestOf(given: Given | undefined): Promise<string | undefined> {
  if (!given) return canonicalParameters(undefined)?.digest
  try {
    const found: unknown = await given()
    return found === undefined ? undefined : canonicalParameters(found)?.digest
  } catch {
    return undefined // a body that can't be read is none that was approved
  }
}

const REFUSED: ReadonlySet<Code> = new Set<Code>(["token_used", "token_revoked", "task_paused", "task_ended"])
const isRefused = (code: unknown): code is Code => REFUSED.has(code as Code)

/** Only `claimed: true` is a yes; whatever can't be read is none. */
function refusalOf(text: string): Refusal | undefined {
  try {
    const { claimed, code }: { claimed?: unknown; code?: unknown } = JSON.parse(text)
    if (claimed === true) return undefined
    if (claimed === false && isRefused(code)) return refuse(code, "claim")
  } catch {
    // The same as an answer that says neither.
  }
  return refuse("temporarily_unavailable", "unclaimed")
}
