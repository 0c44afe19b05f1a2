// A whole issuing side without HTTP: a real database (engine.ts), a real policy folder, real keys, and a clock that the test
// moves. Closed and removed by the test that made it.
import { randomBytes } from "node:crypto"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Engine, Unavailable } from "../../src/database/database.ts"
import type { Folder } from "../../src/database/folder.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { openKeyring } from "../../src/keys/keyring.ts"
import { openLedgerKeys } from "../../src/keys/ledger-key.ts"
import { createRotation } from "../../src/keys/rotation.ts"
import type { Signer } from "../../src/keys/signer.ts"
import { withArchive } from "../../src/ledger/archive-files.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { beginLog, createSequence } from "../../src/ledger/sequence.ts"
import { PolicyFaults } from "../../src/policy/fault.ts"
import { createPolicyStore } from "../../src/policy/in-force.ts"
import { createApprovals } from "../../src/task/approvals.ts"
import { createCanaries } from "../../src/task/canary.ts"
import { createExposures } from "../../src/task/exposure.ts"
import { createIntrospections } from "../../src/task/introspection.ts"
import { createRevocations } from "../../src/task/revocation.ts"
import { createStatusLists } from "../../src/task/status-list.ts"
import { openStatusPlaces } from "../../src/task/status-places.ts"
import { createTasks } from "../../src/task/task.ts"
import { createUses } from "../../src/task/use.ts"
import { createVerifiers } from "../../src/task/verifiers.ts"
import { toEpochSeconds } from "../../src/time.ts"
import { openPlace, park, type TestPlace, testPlace } from "./engine.ts"
import { createFakeClock, type FakeClock } from "./fake-clock.ts"
import { replaceKeys } from "./policy-keys.ts"
import { ROOT } from "./source.ts"

export const ISSUER = "https://taskmint.internal"
export const TICKETS = "https://tickets.internal.example"

export type World = Awaited<ReturnType<typeof createWorld>>

export interface WorldOptions {
  /** Policy files by name; the shipped examples where absent. */
  readonly files?: Readonly<Record<string, string>>
  /** One with a policy folder, or made by an earlier world, to start again on what it left. */
  readonly folder?: string
  /** Its files are looked at: nothing of other worlds may be in them. Default false. */
  readonly alone?: boolean
  readonly keyEncryptionKey?: Uint8Array
  readonly signers?: readonly Signer[]
  /** Of archived entries. */
  readonly archive?: Folder
  /** Of an earlier world, to go on at its time. */
  readonly clock?: FakeClock
}

/** As `testPlace` calls it. */
const FILE = "issuer.db"
/** Where the world of a folder keeps its data. */
const places = new Map<string, TestPlace>()

export async function createWorld(options: WorldOptions = {}) {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "taskmint-world-"))
  const policyFolder = join(folder, "policies")
  if (options.folder === undefined) writePolicies(policyFolder, options.files)
  const keyEncryptionKey = options.keyEncryptionKey ?? randomBytes(32)
  const clock = options.clock ?? createFakeClock()
  const { signers = [] } = options
  const { archive } = options
  const isNew = options.folder === undefined || !(places.has(folder) || existsSync(join(folder, FILE)))
  const parked = isNew && !archive && !options.alone ? await openPlace() : undefined
  const at = parked?.at ?? places.get(folder) ?? (await testPlace(folder))
  places.set(folder, at)
  const visit = visitOf(parked?.engine ?? (await openDatabase(at.place)))
  const engine = archive ? withArchive(visit.engine, archive) : visit.engine
  const names = createNames(engine)
  const ledger = await createLedger({ engine, names, clock })
  const policies = await createPolicyStore({ engine, ledger, folder: policyFolder, dev: true })
  if (policies instanceof PolicyFaults) throw new Error(JSON.stringify(policies.faults))
  const keyring = await openKeyring({ engine, ledger, keyEncryptionKey, clock, signers })
  const statusPlaces = await openStatusPlaces(engine, ISSUER, toEpochSeconds(ledger.at()))
  const name = await beginLog(engine, new URL(ISSUER).host)
  const ledgerKeys = await openLedgerKeys({ engine, ledger, wrapping: keyring.wrapping, clock, name })
  const sequence = createSequence({ engine, clock, origin: name, signing: ledgerKeys.signing })
  await sequence.look()
  const log = { sequence, ledgerKeys }
  const parts = { engine, names, ledger, policies, keyring, statusPlaces, clock, issuer: ISSUER, ...log }
  const onFault = (error: unknown) => Promise.reject(error)
  const canaries = createCanaries({ ...parts, onFault })
  return {
    ...parts,
    archive,
    folder,
    /** Where its data is, as `openDatabase` is told. */
    place: at.place,
    policyFolder,
    keyEncryptionKey,
    rotation: createRotation({ engine, ledger, keyring, clock }),
    tasks: createTasks(parts),
    approvals: createApprovals(parts),
    uses: createUses(parts),
    verifiers: createVerifiers(parts),
    revocations: createRevocations(parts),
    introspections: createIntrospections({ ...parts, canaries }),
    canaries,
    exposures: createExposures(parts),
    statusLists: createStatusLists(parts),
    /** Ends what runs; the files stay for a world that starts on them. */
    close: () => engine.close(),
    async remove() {
      places.delete(folder)
      await at.remove()
      rmSync(folder, { recursive: true, force: true })
    },
    /** Both, and quicker: what is open goes to the next world, where nobody has closed it. */
    async leave() {
      if (!parked || !(await visit.leave(parked))) {
        await engine.close()
        return this.remove()
      }
      places.delete(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** An engine as one world has it: what that world hears ends with it, and what it would still do finds it closed. */
function visitOf(of: Engine) {
  const leaving: (() => void)[] = []
  let over = false
  const open = () => {
    if (over) throw new Unavailable("the database is closed")
  }
  const engine: Engine = {
    broken: of.broken,
    async query(asked, values) {
      open()
      return of.query(asked, values)
    },
    async atomically(steps) {
      open()
      await of.atomically(steps)
    },
    hearOthers(listener) {
      const end = of.hearOthers(listener)
      leaving.push(end)
      return end
    },
    async scrub() {
      open()
      return of.scrub()
    },
    close() {
      over = true
      return of.close()
    },
  }
  return {
    engine,
    /** Whether it could be given to the next. */
    async leave(parked: Parameters<typeof park>[0]): Promise<boolean> {
      if (over) return false
      over = true
      for (const end of leaving) end()
      return park(parked).then(
        () => true,
        () => false,
      )
    },
  }
}

export function writePolicies(folder: string, files?: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (!files) {
    cpSync(join(ROOT, "policies"), folder, { recursive: true })
    replaceKeys(folder)
  }
  for (const [name, text] of Object.entries(files ?? {}))
    writeFileSync(join(folder, name), text, { mode: 0o644 })
}

/** A start that the shipped support policy allows. */
export const SUPPORT_START = {
  type: "triage-ticket",
  agent: { id: "triage-bot", instance: "pod-1" },
  purpose: "Triage the ticket",
  inputs: { ticket: "SUP-1042" },
} as const
