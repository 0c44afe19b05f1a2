// One sign-in that is under way: what the browser that began it keeps for ten minutes. State, nonce and PKCE verifier are made
// of one secret in its cookie and of what stands beside it, so that nothing is kept here for whoever only knocks, and so that
// any replica can finish what another began. It decides whether a cookie is such a one; what comes back is judged elsewhere.
import { createHmac, randomBytes } from "node:crypto"
import { PLACES } from "../../console/page.ts"
import type { SignInSecrets } from "../../remote/code-flow.ts"
import { SKEW_SECONDS } from "../../time.ts"

/** Whoever needs longer at their provider begins again. */
export const ATTEMPT_SECONDS = 600

export interface Attempt {
  /** Epoch seconds. */
  readonly begunAt: number
  /** Where it leads: a place of ours. */
  readonly to: string
  /** Whether they are to show who they are now, whatever their provider remembers. */
  readonly again: boolean
  /** The session that the new one takes the place of, by its digest. */
  readonly replaces: Uint8Array | undefined
}

/** A page of the menu by its address, or the first one: nothing else is led to, whatever was asked for. */
export const placeOf = (asked: string | null | undefined): string =>
  PLACES.find(({ path }) => path === asked)?.path ?? PLACES[0].path

/** The cookie's value, and what goes to the provider. */
export function newAttempt(attempt: Attempt): { readonly value: string; readonly secrets: SignInSecrets } {
  const place = PLACES.findIndex(({ path }) => path === attempt.to)
  const replaced = attempt.replaces ? Buffer.from(attempt.replaces).toString("base64url") : ""
  const facts = `${attempt.begunAt}.${Math.max(place, 0)}.${attempt.again ? 1 : 0}.${replaced}`
  const secret = randomBytes(32).toString("base64url")
  return { value: `${facts}.${secret}`, secrets: secretsOf(facts, secret) }
}

/** Undefined where it is none of ours, or over. Changed facts make another state, which no provider answers. */
export function readAttempt(
  value: string | undefined,
  now: number,
): (Attempt & { readonly secrets: SignInSecrets }) | undefined {
  const match = /^(\d{1,10})\.(\d{1,2})\.([01])\.([A-Za-z0-9_-]{43})?\.([A-Za-z0-9_-]{43})$/.exec(value ?? "")
  if (!match) return undefined
  const [, begun = "", place = "", again = "", replaced, secret = ""] = match
  const begunAt = Number(begun)
  if (now < begunAt - SKEW_SECONDS || now - begunAt >= ATTEMPT_SECONDS) return undefined
  return {
    begunAt,
    again: again === "1",
    to: PLACES[Number(place)]?.path ?? PLACES[0].path,
    replaces: replaced === undefined ? undefined : Buffer.from(replaced, "base64url"),
    secrets: secretsOf(`${begun}.${place}.${again}.${replaced ?? ""}`, secret),
  }
}

function secretsOf(facts: string, secret: string): SignInSecrets {
  const made = (use: string) => createHmac("sha256", secret).update(`${use}\0${facts}`).digest("base64url")
  return { state: made("state"), nonce: made("nonce"), verifier: made("verifier") }
}
