// Which policy is in force: one stored row says so for all replicas. It decides when files take force and when they do
// not; what they mean is load.ts's and decide.ts's.
import { committed, type Engine, type Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Event } from "../ledger/event.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { type AdmissionOptions, loadAdmitted } from "./admission.ts"
import { type PolicyFault, PolicyFaults } from "./fault.ts"
import { fingerprint, readFolder } from "./folder.ts"
import { loadStoredPolicy } from "./load.ts"
import type { Policy } from "./policy.ts"
import { refused, toRefusal, used } from "./policy-events.ts"
import { inForceRow, replaceInForce, stillInForce } from "./statements.ts"
import { ATTEMPTS, type InForceRow, readStored, settle, storedTexts } from "./stored.ts"

export interface RefusedFolder {
  readonly reason: "faults" | "superseded"
  /** Of what the folder holds. */
  readonly digest: string
  readonly faults: readonly PolicyFault[]
}

/** What the files and the stored row last looked like, for readiness and alarms. */
export interface PolicyState {
  readonly digest: string
  /** Epoch milliseconds at which it took force. */
  readonly since: number
  /** Why the files in the folder are not in force; undefined when they are. */
  readonly refused: RefusedFolder | undefined
}

export interface PolicyStore {
  /** The policy that decides now. */
  inForce(): Policy
  /** Holds at the commit when this policy is still the one in force; else the transaction is Unexpected. */
  guard(policy?: Policy): Step
  /** Reads the folder now. Refusals: `policy_refused` (bad files; the policy in force stays), `policy_superseded`. */
  reload(by?: string): Promise<"unchanged" | "loaded" | Refusal>
  /** Brings back a policy that was in force once, by its digest; an operator's act. `not_found` when never seen. */
  use(digest: string, by?: string): Promise<"unchanged" | "used" | Refusal>
  state(): PolicyState
  /** Follows the stored row where another replica has moved it. Throws where it can't be read. */
  catchUp(): Promise<void>
  /** One look at the stored row and the folder: follows the row, and reloads when the files are not what they were. */
  look(): Promise<void>
  /** Looks every 5 s until stopped, and follows the row as soon as another replica is heard to have moved it. A look that fails is told to `onFault`; the next one tries again. */
  watch(): { stop(): void }
}

export interface PolicyStoreOptions extends AdmissionOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  /** Told why a look of watch() failed. Default: nobody is. */
  readonly onFault?: (error: unknown) => void
  /**
   * Told of the state after every reload(), and after a look or a use that found or made it another than was told last; at
   * the start only where the folder is refused. Default: nobody is.
   */
  readonly onState?: ((state: PolicyState) => void) | undefined
}

const LOOK_MILLISECONDS = 5000

/**
 * Reads the folder and settles which policy is in force. Answers faults where the files are bad, or where the stored
 * policy in force can't be read any more: the process must not start. Throws Unavailable.
 */
export async function createPolicyStore(options: PolicyStoreOptions): Promise<PolicyStore | PolicyFaults> {
  const [before] = await options.engine.query(inForceRow)
  const policy = await loadAdmitted(options, before?.digest)
  if (policy instanceof PolicyFaults) {
    await options.ledger.append(refused(options.ledger.at(), policy))
    return policy
  }
  const row = await settle(options, policy)
  if (row.digest === policy.digest) return new StoredPolicy(options, policy, policy, row.since)
  const stored = await readStored(options, row.digest)
  if (stored instanceof PolicyFaults) return stored
  const store = new StoredPolicy(options, policy, stored, row.since)
  options.onState?.(store.state())
  return store
}

/** What the folder last held: the digest of a policy, or faults. */
interface Seen {
  readonly digest: string
  readonly faults: readonly PolicyFault[]
  readonly keyPaths: readonly string[]
  readonly fingerprint: string
}

class StoredPolicy implements PolicyStore {
  readonly #options: PolicyStoreOptions
  #policy: Policy
  #since: number
  #seen: Seen
  #told: string
  /** Reloads, uses and looks happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: PolicyStoreOptions, folder: Policy, policy: Policy, since: number) {
    this.#options = options
    this.#seen = toSeen(folder)
    this.#policy = policy
    this.#since = since
    this.#told = nameOf(this.state())
  }

  inForce(): Policy {
    return this.#policy
  }

  guard(policy: Policy = this.#policy): Step {
    return { statement: stillInForce, values: { digest: policy.digest }, rows: 1 }
  }

  state(): PolicyState {
    const { digest, faults } = this.#seen
    const reason = faults.length > 0 ? "faults" : digest === this.#policy.digest ? undefined : "superseded"
    return { digest: this.#policy.digest, since: this.#since, refused: reason && { reason, digest, faults } }
  }

  reload(by?: string): Promise<"unchanged" | "loaded" | Refusal> {
    return this.#next(async () => {
      const result = await this.#reload(by)
      this.#tell(true)
      if (result !== "superseded") return result
      await this.#record(
        refused(this.#options.ledger.at(), { digest: this.#seen.digest, superseded: true }, by),
      )
      return refuse("policy_superseded", "the files in the folder were in force before")
    })
  }

  use(digest: string, by?: string): Promise<"unchanged" | "used" | Refusal> {
    return this.#next(async () => {
      const result = await this.#use(digest, by)
      this.#tell(false)
      return result
    })
  }

  catchUp(): Promise<void> {
    return this.#next(() => this.#catchUp())
  }

  look(): Promise<void> {
    return this.#next(async () => {
      await this.#catchUp()
      const now = fingerprint(await readFolder(this.#options.folder, this.#seen.keyPaths, this.#options))
      if (now !== this.#seen.fingerprint) await this.#reload(undefined)
      this.#tell(false)
    })
  }

  watch(): { stop(): void } {
    const onFault = this.#options.onFault ?? (() => undefined)
    const timer = setInterval(() => this.look().catch(onFault), LOOK_MILLISECONDS)
    timer.unref()
    const deafen = this.#options.engine.hearOthers(() => void this.catchUp().catch(onFault))
    return {
      stop() {
        deafen()
        clearInterval(timer)
      },
    }
  }

  #next<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => undefined) // who asked is told; the next turn is not theirs
    return result
  }

  #tell(isAsked: boolean): void {
    const state = this.state()
    const name = nameOf(state)
    if (!isAsked && name === this.#told) return
    this.#told = name
    this.#options.onState?.(state)
  }

  #record(events: readonly Event[]): Promise<void> {
    return this.#options.ledger.append(events)
  }

  async #reload(by: string | undefined): Promise<"unchanged" | "loaded" | "superseded" | Refusal> {
    const policy = await loadAdmitted(this.#options, this.#policy.digest)
    if (policy instanceof PolicyFaults) {
      await this.#record(refused(this.#options.ledger.at(), policy, by))
      this.#seen = policy
      return toRefusal(policy)
    }
    const before = this.#policy.digest
    const row = await settle(this.#options, policy, by)
    this.#seen = toSeen(policy)
    if (row.digest === policy.digest) this.#take(policy, row.since)
    else if (row.digest !== before) await this.#follow(row)
    if (row.digest !== policy.digest) return "superseded"
    return before === policy.digest ? "unchanged" : "loaded"
  }

  async #catchUp(): Promise<void> {
    const [row] = await this.#options.engine.query(inForceRow)
    if (row && row.digest !== this.#policy.digest) await this.#follow(row)
  }

  /** Takes over what another replica put in force. Throws where it can't be read: then the guards hold every mint. */
  async #follow(row: InForceRow): Promise<void> {
    const stored = await readStored(this.#options, row.digest)
    if (stored instanceof PolicyFaults) throw new Error(`The stored policy in force can't be read: ${stored}`)
    this.#take(stored, row.since)
  }

  #take(policy: Policy, since: number): void {
    this.#policy = policy
    this.#since = since
  }

  async #use(digest: string, by: string | undefined): Promise<"unchanged" | "used" | Refusal> {
    const { engine, ledger } = this.#options
    const texts = await storedTexts(engine, digest)
    if (!texts) return refuse("not_found", "no policy of this digest was ever in force")
    const policy = await loadStoredPolicy(texts, this.#options)
    if (policy instanceof PolicyFaults) {
      await this.#record(refused(ledger.at(), policy, by))
      return toRefusal(policy)
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const [row] = await engine.query(inForceRow)
      if (!row) throw new Error("No policy is in force")
      if (row.digest === digest) {
        this.#take(policy, row.since)
        return "unchanged"
      }
      const at = ledger.at()
      const values = { digest, previous: row.digest, at }
      const steps = [
        { statement: replaceInForce, values, rows: 1 },
        ...ledger.steps(used(at, digest, row.digest, by)),
      ]
      if (!(await committed(engine, steps))) continue
      this.#take(policy, at)
      return "used"
    }
    throw new Error("The policy in force changed again and again while it was replaced")
  }
}

/** Tells one state from another as whoever has to act would: bytes that have the same mistakes are no news. */
const nameOf = ({ digest, refused }: PolicyState): string =>
  JSON.stringify([digest, refused?.reason === "faults" ? refused.faults : refused?.digest])

const toSeen = (policy: Policy): Seen => ({
  digest: policy.digest,
  faults: [],
  keyPaths: [...policy.files.keys()],
  fingerprint: fingerprint({ texts: policy.files, unreadable: new Map() }),
})
