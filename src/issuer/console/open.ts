// What the console needs besides its pages: who is signed in, where they sign in, and links for development.
import { caller as callerOf } from "../../policy/callers.ts"
import { createLinks, type Links, type LinksOptions } from "./links.ts"
import { type ConsoleOptions, createSignInProviders, type SignInProviders } from "./provider.ts"
import { createSessions, type Sessions, type SessionsOptions } from "./sessions.ts"
import type { Visitors } from "./visitor.ts"

export interface OpenedConsole {
  readonly visitors: Visitors
  /** The visitors' sessions, and where they sign in. */
  readonly sessions: Sessions
  readonly signIns: SignInProviders
  /** Only in development, on loopback. */
  readonly links: Links | undefined
}

export interface OpeningConsole extends SessionsOptions, LinksOptions {
  readonly plainHttp: boolean
  readonly console: ConsoleOptions
}

/** Throws TypeError where an option is none that a provider could know. */
export function openConsole(opening: OpeningConsole): OpenedConsole {
  const sessions = createSessions(opening)
  const signIns = createSignInProviders({ ...opening, policy: () => opening.policies.inForce() })
  return { visitors: sessions, sessions, signIns, links: createLinks(opening) }
}

/** A link for each entry of staff; undefined where there are none to be had. */
export function linksFor({
  links,
  policies,
}: Pick<OpenedConsole, "links"> & Pick<OpeningConsole, "policies">):
  | Readonly<Record<string, string>>
  | undefined {
  if (!links) return undefined
  const policy = policies.inForce()
  const names = [...policy.staff.keys()].filter((name) => callerOf(policy, name) !== undefined)
  return Object.fromEntries(names.map((name) => [name, links.make(name)]))
}
