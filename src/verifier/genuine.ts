// Whether a token is genuine: our signature and our shape. What comes again is found in a bounded cache, what is new is opened
// together with all that is new by then. It decides nothing about time, audience, possession or revocation: those are asked
// for every request.
import { setImmediate } from "node:timers"
import { LRUCache } from "lru-cache"
import { Refusal, refuse } from "../errors.ts"
import type { KeySet } from "../remote/key-set.ts"
import { Unreadable } from "../token/jwt.ts"
import { type GenuineToken, openTaskToken, openTaskTokens } from "../token/verify.ts"
import { type Credential, readAuthorization } from "./credential.ts"
import { createDoorkeeper } from "./doorkeeper.ts"
import type { HeadOf, Uses } from "./use.ts"

/** A credential, and whether the token in it is genuine: "cannot tell" (503) while its key can be neither found nor asked for. */
export interface Opened {
  readonly credential: Credential
  readonly genuine: Genuine | Refusal
}

export interface Genuine extends GenuineToken {
  readonly headOf: HeadOf
}

/** Opens the token of an Authorization. Answers at once what it remembers; a new one takes a turn of the event loop, or more. */
export type OpenCredential = (authorization: string) => Promise<Opened> | Opened | Refusal | "absent"

const MAX_TOKENS = 10_000
const MAX_CHARACTERS = 16 * 1024 * 1024
/** Of the end of a credential, which is its signature's: hashing all of it would cost more than everything else here. */
const KEY_CHARACTERS = 40
/** New credentials opened in one turn of the event loop: a few milliseconds' work. Others wait, and nobody else for them. */
const MOST_TOGETHER = 64

/** What was shown, and is not known. */
interface Shown {
  readonly authorization: string
  /** The end of it. */
  readonly key: string
  readonly credential: Credential
}

interface Kept {
  readonly authorization: string
  readonly opened: { readonly credential: Credential; readonly genuine: Genuine }
}

/**
 * The cache is found by the end of the signature and compared by the exact bytes, holds positive results only, and a result
 * counts only while its key is known and believed: a signature's twin, or one more padding, is another text and is judged
 * anew. What comes a second time has a place in it.
 */
export function createCredentialOpener(
  keys: Pick<KeySet, "keyOf" | "seek">,
  { headsOf }: Pick<Uses, "headsOf">,
): OpenCredential {
  const kept = new LRUCache<string, Kept>({
    max: MAX_TOKENS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: ({ authorization }) => authorization.length,
  })
  const isKnown = createDoorkeeper()
  const conclude = (
    { authorization, key, credential }: Shown,
    genuine: GenuineToken | Unreadable,
  ): Opened => {
    if (genuine instanceof Unreadable) return { credential, genuine: refuse("token_invalid", genuine.tag) }
    const { token, kid } = genuine
    const opened = { credential, genuine: { token, kid, headOf: headsOf(token) } }
    if (isKnown(authorization)) kept.set(key, { authorization, opened })
    return opened
  }
  const seekAndOpen = async (shown: Shown): Promise<Opened> => {
    let missing: string | undefined
    const first = openTaskToken(shown.credential.token, (kid) => {
      missing = kid
      return keys.keyOf(kid)
    })
    if (missing === undefined || !(first instanceof Unreadable)) return conclude(shown, first)
    const key = await keys.seek(missing)
    if (key === "unknown") return conclude(shown, first)
    if (key === "unavailable")
      return { credential: shown.credential, genuine: refuse("keys_unavailable", "kid") }
    return conclude(shown, openTaskToken(shown.credential.token, keys.keyOf))
  }
  const openNew = createTogether((all) => {
    const texts = all.map(({ credential }) => credential.token)
    const opened = openTaskTokens(texts, keys.keyOf)
    return all.map((shown, at) => {
      const one = opened[at] ?? new Unreadable("format")
      return one instanceof Unreadable && one.tag === "kid" ? seekAndOpen(shown) : conclude(shown, one)
    })
  })
  return (authorization) => {
    const key = authorization.slice(-KEY_CHARACTERS)
    const known = kept.get(key)
    if (known?.authorization === authorization && keys.keyOf(known.opened.genuine.kid)) return known.opened
    const credential = readAuthorization(authorization)
    if (credential === "absent" || credential instanceof Refusal) return credential
    return openNew({ authorization, key, credential })
  }
}

type Waiting = Shown & PromiseWithResolvers<Opened>

/** Those of one turn of the event loop together, each text once. A fault is all of theirs. */
function createTogether(open: (all: readonly Shown[]) => readonly (Opened | Promise<Opened>)[]) {
  let waiting = new Map<string, Waiting>()
  const openSome = () => {
    const all = [...waiting]
    // Another map for who is left and who comes: one that is emptied and filled again and again leaves its old tables behind,
    // each of which leads to the next, and to the collector everything in them is alive for as long as the oldest is.
    waiting = new Map(all.splice(MOST_TOGETHER))
    if (waiting.size > 0) setImmediate(openSome)
    const some = all.map(([, one]) => one)
    try {
      for (const [at, one] of open(some).entries()) some[at]?.resolve(one)
    } catch (fault) {
      for (const one of some) one.reject(fault)
    }
  }
  return (shown: Shown): Promise<Opened> => {
    const { authorization, key } = shown
    // Texts that end alike are not the same: the second of them has its place by all of it.
    const place = (waiting.get(key)?.authorization ?? authorization) === authorization ? key : authorization
    const same = waiting.get(place)
    if (same) return same.promise
    if (waiting.size === 0) setImmediate(openSome)
    const one = { ...shown, ...Promise.withResolvers<Opened>() }
    waiting.set(place, one)
    return one.promise
  }
}
