// Sessions at the console: begun when somebody signed in, found again by what their browser shows, ended by time, by themselves
// or by a policy that no longer knows them. Rows of the database, so they hold over restarts and for every replica; the id is
// in the cookie alone. It decides whether a session stands; how somebody came to have one is sign-in.ts's.
import { createHash, randomBytes } from "node:crypto"
import { type Engine, type Step, Unexpected } from "../../database/database.ts"
import { type Refusal, refuse } from "../../errors.ts"
import type { Ledger } from "../../ledger/ledger.ts"
import type { Caller as Entry } from "../../policy/callers.ts"
import type { PolicyStore } from "../../policy/in-force.ts"
import type { Caller } from "../caller.ts"
import { locksOnPerson } from "../statements.ts"
import { cookieOf } from "./cookie.ts"
import {
  deleteSession,
  deleteSurplus,
  insertSession,
  pruneSessions,
  type SessionRow,
  seeSession,
  sessionByDigest,
} from "./session-statements.ts"
import { entriesOf, type StaffIdentity } from "./staff.ts"
import type { Visitor, Visitors } from "./visitor.ts"

/** Without a request for so long, it ends. */
const IDLE_MILLISECONDS = 900_000
/** However busy, it ends so long after the person showed their provider who they are. */
export const SESSION_SECONDS = 28_800
/** A request within this of the last one recorded is not recorded: nobody's idle time is longer for it, only shorter. */
const SEEN_MILLISECONDS = 60_000
/** Of one person, in as many browsers. */
const MOST_OF_ONE = 10

export interface Beginning {
  /** What they are called, and what is kept of who they are. */
  readonly person: string
  readonly identity: StaffIdentity
  /** What they are by the policy in force; at least one. */
  readonly entries: readonly Entry[]
  /** Epoch seconds. */
  readonly signedInAt: number
  /** How, for the entry: never the thing itself. */
  readonly how: Readonly<Record<string, string>>
  /** Spends what they showed. */
  readonly once?: Step
  /** The session that this one takes the place of. */
  readonly replaces?: Uint8Array | undefined
}

export interface Sessions extends Visitors {
  /**
   * Always under a new id, which is answered and kept nowhere. `locked` where a lock stands against the person. Throws Duplicate
   * where `once` was spent, Unavailable.
   */
  begin(beginning: Beginning): Promise<string | Refusal>
  /**
   * Ends the request's session, if it has one, and with `everywhere` all of the same person; whoever was signed in is named in
   * the ledger. Throws Unavailable.
   */
  leave(request: Request, everywhere?: boolean): Promise<void>
  /** What is kept of the request's session id: it names the session and opens none. */
  digestIn(request: Request): Uint8Array | undefined
  /** Forgets what has ended; called on a timer. */
  prune(): Promise<void>
}

export interface SessionsOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly policies: PolicyStore
}

export function createSessions({ engine, ledger, policies }: SessionsOptions): Sessions {
  const digestIn = (request: Request): Uint8Array | undefined => {
    const id = cookieOf(request, "__Host-taskmint")
    return id !== undefined && /^[A-Za-z0-9_-]{43}$/.test(id) ? digestOf(id) : undefined
  }
  const standing = async (digest: Uint8Array | undefined): Promise<Visitor | undefined> => {
    if (!digest) return undefined
    const now = ledger.at()
    const [row] = await engine.query(sessionByDigest, { digest, now })
    if (!row || isOver(row, now)) return undefined
    const visitor = visitorOf(row, policies, () => ledger.at())
    if (visitor && now - row.seen_at >= SEEN_MILLISECONDS)
      await engine.atomically([{ statement: seeSession, values: { digest, now } }])
    return visitor
  }
  return {
    digestIn,
    of: (request) => standing(digestIn(request)),
    async begin({ person, identity, entries, signedInAt, how, once, replaces }) {
      const id = randomBytes(32).toString("base64url")
      const now = ledger.at()
      const until = (signedInAt + SESSION_SECONDS) * 1000
      const row = { person, identity: JSON.stringify(identity), signed_in_at: signedInAt, now, until }
      const [first, ...others] = entries.map(({ name }) => name)
      const body = { client: first, ...(others.length > 0 && { also: others }), at: "console", ...how }
      const sub = "link" in identity ? {} : { sub: person }
      const steps = [
        ...(once ? [once] : []),
        { statement: locksOnPerson, values: { person, now }, rows: 0 },
        ...(replaces ? [{ statement: deleteSession, values: { digest: replaces } }] : []),
        { statement: deleteSurplus, values: { person, kept: MOST_OF_ONE - 1 } },
        { statement: insertSession, values: { digest: digestOf(id), ...row }, rows: 1 },
        ...ledger.steps({ kind: "client.authenticated", at: now, outcome: "allowed", ...sub, body }),
      ]
      return (await unlessLocked(engine, steps)) ?? id
    },
    async leave(request, everywhere = false) {
      const digest = digestIn(request)
      const visitor = await standing(digest)
      if (digest && visitor) await end({ engine, ledger }, digest, visitor, everywhere)
    },
    async prune() {
      const now = ledger.at()
      await engine.atomically([{ statement: pruneSessions, values: { now, idle: now - IDLE_MILLISECONDS } }])
    },
  }
}

async function unlessLocked(engine: Engine, steps: readonly Step[]): Promise<Refusal | undefined> {
  try {
    await engine.atomically(steps)
    return undefined
  } catch (error) {
    if (!(error instanceof Unexpected) || error.statement !== locksOnPerson.name) throw error
    return refuse("locked", "[lock] stands against the person")
  }
}

async function end(
  { engine, ledger }: Pick<SessionsOptions, "engine" | "ledger">,
  digest: Uint8Array,
  { name, caller: { person, clientId } }: Visitor,
  everywhere: boolean,
): Promise<void> {
  const body = { client: clientId, at: "console", by: everywhere ? "sign_out_everywhere" : "sign_out" }
  const sub = person === undefined ? {} : { sub: person }
  try {
    await engine.atomically([
      { statement: deleteSession, values: { digest }, rows: 1 },
      ...(everywhere ? [{ statement: deleteSurplus, values: { person: name, kept: 0 } }] : []),
      ...ledger.steps({ kind: "client.left", at: ledger.at(), ...sub, body }),
    ])
  } catch (error) {
    // Pressed twice: the other request has ended and told it.
    if (!(error instanceof Unexpected)) throw error
  }
}

const digestOf = (id: string): Uint8Array => createHash("sha256").update(id).digest()

/** Seen in the future, it was seen by a clock that has been set back: nothing says how long it was idle. */
const isOver = ({ until, seen_at }: SessionRow, now: number): boolean =>
  now >= until || Math.abs(now - seen_at) >= IDLE_MILLISECONDS

/** As the policy in force has it: undefined where it no longer knows them. Of several entries they have all roles. */
function visitorOf(
  { person, identity: text, signed_in_at: signedInAt, until }: SessionRow,
  policies: PolicyStore,
  now: () => number,
): Visitor | undefined {
  const identity: StaffIdentity = JSON.parse(text)
  const scopesNow = () => new Set(entriesOf(policies.inForce(), identity).flatMap(({ scopes }) => scopes))
  const entries = entriesOf(policies.inForce(), identity).map(({ name }) => name)
  const [clientId] = entries
  if (clientId === undefined) return undefined
  const scopes = scopesNow()
  const caller: Caller = {
    clientId,
    kind: "staff",
    scopes,
    ...(!("link" in identity) && { person }),
    stands: () => now() < until && [...scopes].every((scope) => scopesNow().has(scope)),
  }
  return { caller, name: person, signedInAt, entries }
}
