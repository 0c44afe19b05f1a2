// Links that sign in as staff without a provider, for trying taskmint out on one computer: only of an issuer made for development
// whose name is on loopback, once, within a minute. They are in memory alone, so an issuer that ends takes them along. It
// decides whether a link still opens; who is given one is decided by whoever runs the issuer.
import { createHash, randomBytes } from "node:crypto"
import type { Clock } from "../../time.ts"

export const LINK_SECONDS = 60
/** Far more than anybody asks for within a minute; the oldest go. */
const MOST_LINKS = 64

export interface Links {
  /** The address that signs in as this entry of staff. */
  make(entry: string): string
  /** The entry that it was made for, once; undefined for any other text. */
  take(text: string): string | undefined
}

export interface LinksOptions {
  readonly issuer: string
  readonly dev: boolean
  readonly clock: Clock
}

/** Undefined for an issuer that is not for development, or not on this computer: it has no such thing. */
export function createLinks({ issuer, dev, clock }: LinksOptions): Links | undefined {
  if (!dev || !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(issuer).hostname)) return undefined
  const links = new Map<string, { readonly entry: string; readonly until: number }>()
  return {
    make(entry) {
      const text = randomBytes(32).toString("base64url")
      links.set(keyOf(text), { entry, until: clock.monotonic() + LINK_SECONDS * 1000 })
      for (const oldest of links.keys()) if (links.size > MOST_LINKS) links.delete(oldest)
      return `${issuer}/console/link/${text}`
    },
    take(text) {
      const key = keyOf(text)
      const found = links.get(key)
      links.delete(key)
      return found && clock.monotonic() < found.until ? found.entry : undefined
    },
  }
}

/** Looked up by its hash, so that how long that takes tells nothing of the links there are. */
const keyOf = (text: string) => createHash("sha256").update(text).digest("base64url")
