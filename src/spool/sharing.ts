// One spool for all processes of a host: which numbers are this one's, who of them sends, whose process has ended. Locks of
// the system decide that, never time: a process that stands still is not taken for one that is gone. What is sealed and
// sent, shipper.ts decides.
import { type FileLock, type SharedLock, shareFile, tryLockFile } from "../database/lock.ts"
import type { Writer } from "../database/writer.ts"
import { takeRandom } from "../token/random.ts"
import type { StoredBatch } from "./batch-row.ts"
import type { Applied } from "./seal.ts"
import { batchShares, openTables, type Part, type Reader, type Spool } from "./spool.ts"
import { prepareSpool, SHARE_ADVICE } from "./spool-file.ts"
import * as sql from "./statements.ts"

export interface Sharing {
  /** Whether this process sends for all: it does already, or nobody does and now it does. */
  leads(): boolean
  /** Those whose process ended, looked for one by one; each is held until it is released, so that nobody takes its place. */
  ended(): Iterable<EndedProcess>
  /** How many processes share the spool: those that ended count until they are forgotten. */
  processes(): number
  /** What all of them have applied. */
  readonly applied: Applied
  /** Batches not acknowledged, counted up to a few, and the number of the oldest. */
  backlog(): { readonly batches: number; readonly oldest: number | null }
  /** Those of this process's uses, and of whoever had its place before. */
  unacknowledged(): Pick<StoredBatch, "sequence" | "shares">[]
  /** Takes its leave. True: it is the last, and until the spool is closed no other comes. */
  isLast(): Promise<boolean>
}

export interface EndedProcess {
  /** Its uses. */
  readonly part: Part
  /** Nobody waits for what it applies any more. */
  forget(): Promise<void>
  release(): void
}

const MOST_PROCESSES = 256
/** Of the nonces that all of them want in proofs. */
const newNonceKey = (): string => takeRandom(32).toString("base64url")
/** Longest wait of a commit for those of other processes. */
const BUSY_MILLISECONDS = 5000

const partOf = (slot: number): Part => ({
  from: slot * 2 ** sql.PART_BITS + 1,
  to: (slot + 1) * 2 ** sql.PART_BITS - 1,
})

/**
 * Opens the spool together with every process of this host that does the same for the same API (`api`: any text that names
 * it), making it where there is none. Throws when a process holds it alone, and as openSpool does. The file system must be
 * this host's own: over a network neither locks nor shared memory hold.
 */
export async function openSharedSpool(
  path: string,
  api: string,
): Promise<{ readonly spool: Spool; readonly sharing: Sharing }> {
  const settings = [
    ["sharedBy", api],
    ["nonces", newNonceKey()],
  ] as const
  const share = await shareFile(path, () => prepareSpool(path, settings), SHARE_ADVICE)
  const place = takePlace(path, share)
  try {
    const { slot, release } = place
    const { spool, writer, reader } = await openTables({
      path,
      part: partOf(slot),
      feed: (position) => [
        sql.run(sql.KEEP_FURTHEST_FEED, position),
        sql.run(sql.REACH, position, position, slot),
      ],
      busyMilliseconds: BUSY_MILLISECONDS,
      joining: [sql.run(sql.JOIN, slot)],
      leaving: [sql.run(sql.LEAVE, slot)],
      release,
    })
    if (spool.kept("sharedBy") !== api) {
      await spool.close()
      throw new Error(
        `the spool ${path} is shared by processes of another API, issuer or client id: each API has a spool of its own`,
      )
    }
    return { spool, sharing: shareOver({ path, share, place, writer, reader }) }
  } catch (fault) {
    place.release()
    throw fault
  }
}

interface Place {
  readonly slot: number
  leads(): boolean
  release(): void
}

/** The lowest that is free: who comes after a process that ended finds its uses as after a restart. */
function takePlace(path: string, share: SharedLock): Place {
  for (let slot = 0; slot < MOST_PROCESSES; slot++) {
    const held = tryLockFile(placeOf(path, slot))
    if (!held) continue
    let lead: FileLock | undefined
    return {
      slot,
      leads() {
        lead ??= tryLockFile(`${path}.leader`)
        return lead !== undefined
      },
      release() {
        lead?.release()
        held.release()
        share.release()
      },
    }
  }
  share.release()
  throw new Error(`the spool ${path} is shared by ${MOST_PROCESSES} processes already`)
}

const placeOf = (path: string, slot: number) => `${path}.worker-${slot}`

interface ShareOptions {
  readonly path: string
  readonly share: SharedLock
  readonly place: Place
  readonly writer: Writer
  readonly reader: Reader
}

function shareOver({ path, share, place, writer, reader }: ShareOptions): Sharing {
  const least = reader.prepare<[], { cursor: number; reachedAt: number }>(sql.LEAST_REACHED)
  const backlog = reader.prepare<[], { batches: number; oldest: number | null }>(sql.BACKLOG)
  const workers = reader.prepare<[], number>(sql.WORKERS).pluck()
  const slots = reader.prepare<[], number>(sql.SLOTS).pluck()
  const hold = (slot: number, lock: FileLock): EndedProcess => ({
    part: partOf(slot),
    forget: () => writer.commit([sql.run(sql.LEAVE, slot)]),
    release: () => lock.release(),
  })
  return {
    leads: place.leads,
    *ended() {
      for (const slot of slots.all()) {
        const lock = slot === place.slot ? undefined : tryLockFile(placeOf(path, slot))
        if (lock) yield hold(slot, lock)
      }
    },
    processes: () => workers.get() ?? 1,
    applied: {
      cursor: () => least.get()?.cursor ?? 0,
      appliedAt: () => least.get()?.reachedAt ?? 0,
    },
    backlog: () => backlog.get() ?? { batches: 0, oldest: null },
    unacknowledged: () => batchShares(reader, partOf(place.slot)),
    isLast: share.isLast,
  }
}
