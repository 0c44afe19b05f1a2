// The service, wired: engine, ledger, policy in force, keys, tasks, uses and revocations behind one fetch function. It
// decides the order of starting and stopping; what is allowed is decided below it, and who asks in caller.ts.
import type { Engine } from "../database/database.ts"
import type { Clock } from "../time.ts"
import type { Algorithm } from "../token/signature.ts"

export interface IssuerOptions {
  /** The issuer's own URL, `iss` of every token, compared byte for byte. https, or http on loopback. No slash at the end. */
  readonly issuer: string
  /** Path of the SQLite file (made when absent), or an engine already open; the issuer closes either. */
  readonly database: string | Engine
  /** Folder of the policy files. */
  readonly policies: string
  /** 32 bytes that encrypt the signing keys at rest. */
  readonly keyEncryptionKey: Uint8Array
  /** Marks the data as made for development: it is refused without `dev` ever after. Default false. */
  readonly dev?: boolean
  /** Of signing keys made from now on. Default ES256. */
  readonly algorithm?: Algorithm
  readonly clock?: Clock
  /** Allows an http issuer URL that is not on loopback: every token can then be read on the way. Default false. */
  readonly dangerouslyAllowPlainHttp?: boolean
  /** Told of every unexpected fault; the caller got 503 with the same request id (absent for work on a timer). */
  readonly onFault?: (error: unknown, requestId?: string) => void
}

export interface Issuer {
  /** Answers one request. Never throws: a fault becomes 503 and is told to `onFault`. */
  readonly fetch: (request: Request) => Promise<Response>
  /** The digest of the policy in force, for the start-up message. */
  readonly policyDigest: () => string
  /** Reads the policy folder again now (SIGHUP). A bad policy is recorded and the one in force stays. */
  readonly reload: () => Promise<void>
  /** Resolves with the cause when nothing can ever be recorded again: the process must end. */
  readonly broken: Promise<Error>
  /** Waits for requests under way, stops the timers, releases the database. */
  readonly close: () => Promise<void>
}

/** The issuer can't start with these options or this data; the message says what to do and holds no secret. */
export class NotStarted extends Error {
  override readonly name = "NotStarted"
}

/**
 * Starts an issuer. Throws TypeError on misused options, NotStarted (or KeysLocked, or what loading the policies throws)
 * when the data or the files don't allow a start.
 */
export async function createIssuer(options: IssuerOptions): Promise<Issuer> {
  throw new NotStarted(`not built yet: ${options.issuer}`)
}
