// The service, wired: engine, ledger, policy in force, keys, tasks, uses and revocations behind one fetch function. It
// decides the order of starting and stopping; what is allowed is decided below it, and who asks in caller.ts.
import { createRollups } from "../audit/rollup.ts"
import type { Engine, Step } from "../database/database.ts"
import { createNames } from "../database/names.ts"
import { openDatabase } from "../database/open.ts"
import type { Signer } from "../keys/signer.ts"
import type { Event } from "../ledger/event.ts"
import { createLedger } from "../ledger/ledger.ts"
import { PolicyFaults } from "../policy/fault.ts"
import { createPolicyStore, type PolicyStore, type PolicyStoreOptions } from "../policy/in-force.ts"
import { createApprovals } from "../task/approvals.ts"
import { createArchives } from "../task/archive.ts"
import { createCanaries } from "../task/canary.ts"
import { createDeclarations } from "../task/declarations.ts"
import { createErasures } from "../task/erase.ts"
import { createExposures } from "../task/exposure.ts"
import { type FeedWatch, watchFeed } from "../task/feed.ts"
import { createIntrospections } from "../task/introspection.ts"
import { createRevocations } from "../task/revocation.ts"
import { createStatusLists } from "../task/status-list.ts"
import { openStatusPlaces } from "../task/status-places.ts"
import { createTasks } from "../task/task.ts"
import { createUses } from "../task/use.ts"
import { createVerifiers } from "../task/verifiers.ts"
import { type Clock, systemClock, toEpochSeconds } from "../time.ts"
import type { Algorithm } from "../token/signature.ts"
import { createAdmission } from "./admission.ts"
import { createApp, endpointsOf } from "./app.ts"
import { createCallers } from "./caller.ts"
import { createClosings } from "./closing.ts"
import { linksFor, openConsole } from "./console/open.ts"
import type { ConsoleOptions } from "./console/provider.ts"
import { createDeliveries } from "./delivery.ts"
import { countFailures } from "./failures.ts"
import { createFeedStreams } from "./feed-stream.ts"
import { type Health, watchHealth } from "./health.ts"
import { createIdentities } from "./identities.ts"
import { claimDatabase } from "./mark.ts"
import { type OpenedArchive, openArchive } from "./opened-archive.ts"
import { openKeys } from "./opened-keys.ts"
import { openLog } from "./opened-log.ts"
import { createPostureWatch } from "./posture-watch.ts"
import type { Rooms } from "./rooms.ts"
import { createTelemetry } from "./telemetry.ts"
import { startChores } from "./timers.ts"
import { countRequests } from "./under-way.ts"
import { checkIssuerUrl } from "./url.ts"
import { createWatch } from "./watch.ts"
import { readWebhooks, tellOf, type Webhook, type WebhookOptions } from "./webhook.ts"

export interface IssuerOptions {
  /**
   * The issuer's own URL, `iss` of every token, compared byte for byte: an origin such as https://taskmint.example, no
   * path and no slash at the end. https, or http on loopback.
   */
  readonly issuer: string
  /**
   * Path of the SQLite file (made when absent), the address of a PostgreSQL database (postgres://user@host/name; needs the
   * package `pg`), or an engine already open; the issuer closes any. One issuer runs on a file, any number
   * on a server.
   */
  readonly database: string | Engine
  /** Folder of the policy files. */
  readonly policies: string
  /** 32 bytes that encrypt the signing keys at rest. */
  readonly keyEncryptionKey: Uint8Array
  /** Marks the data as made for development: it is refused without `dev` ever after. Default false. */
  readonly dev?: boolean
  /** Of signing keys made from now on. Default ES256. */
  readonly algorithm?: Algorithm
  /** How long a signing key signs before the next one does; at least 3600. Default 30 days. */
  readonly keyRotationSeconds?: number
  /** Entries older than this are archived: compressed, or to the files of `archive`, never gone. Default: none is. */
  readonly retentionSeconds?: number
  /**
   * Folder of the files that archived entries go to. It must be there; several issuers of a database share it. Default: they
   * stay in the database.
   */
  readonly archive?: string
  /**
   * Signing keys that rest elsewhere, in a KMS or an HSM, in the order in which they are to sign. Where there are any, none
   * is made here. The one that signs now must be among them at every start.
   */
  readonly signers?: readonly Signer[]
  /** Who is told of approvals and alarms, by signed events. Default: nobody. */
  readonly webhooks?: WebhookOptions
  /** How people sign in to the console. Default: at the provider that the policy's staff is signed in at, as a public client. */
  readonly console?: ConsoleOptions
  /**
   * Once, and only where the log was stopped (`ledgerStopped`): goes on with this database although a newer one was lost.
   * Every task ends, every key goes, and a log of another name begins. Default false.
   */
  readonly acceptRollback?: boolean
  readonly clock?: Clock
  /** Lets the issuer and APIs be plain http beyond loopback: every token can then be read on the way. Default false. */
  readonly dangerouslyAllowPlainHttp?: boolean
  /** Told of every unexpected fault; the caller got 503 with the same request id (absent for work on a timer). */
  readonly onFault?: (error: unknown, requestId?: string) => void
  /** Told what is in force and why the folder is not, after every reload and whenever that changes. */
  readonly onPolicy?: PolicyStoreOptions["onState"]
}

export interface Issuer {
  /** Answers one request. Never throws: a fault becomes 503 and is told to `onFault`. */
  readonly fetch: (request: Request) => Promise<Response>
  /** The digest of the policy in force, for the start-up message. */
  readonly policyDigest: () => string
  /** Why the ledger's log was stopped and nothing is minted, as JSON; undefined while it goes on. */
  readonly ledgerStopped: () => string | undefined
  /**
   * Only in development, on loopback: addresses that sign in to the console, one for each entry of staff, each once and within
   * 60 seconds. Undefined for every other issuer.
   */
  readonly consoleLinks: () => Readonly<Record<string, string>> | undefined
  /** Reads the policy folder again now (SIGHUP). A bad policy is recorded and the one in force stays. */
  readonly reload: () => Promise<void>
  /** Does now what else happens on timers: tasks and locks that ran out, counts of failures, old rows. */
  readonly sweep: () => Promise<void>
  /**
   * From now on /readyz answers 503, so that nobody sends more; requests are still answered until close(). Streams of
   * revocations end at once.
   */
  readonly drain: () => void
  /** Resolves with the cause when nothing can ever be recorded again: the process must end. */
  readonly broken: Promise<Error>
  /** Waits for requests under way (8 s at most, or as long as is said), stops the timers, releases the database. */
  readonly close: (graceMilliseconds?: number) => Promise<void>
}

/** The issuer can't start with these options or this data; the message says what to do and holds no secret. */
export class NotStarted extends Error {
  override readonly name = "NotStarted"
}

/**
 * Starts an issuer. Throws TypeError on misused options, NotStarted when the policy is not valid (its message is the list
 * of faults with their places) or the data was made the other way, KeysLocked when the stored keys don't open, Unavailable
 * when the database can't be had. Whatever it throws, the database is released again.
 */
export async function createIssuer(options: IssuerOptions): Promise<Issuer> {
  checkIssuerUrl(options)
  const webhooks = options.webhooks ? readWebhooks(options.webhooks) : []
  const engine =
    typeof options.database === "string" ? await openDatabase(options.database) : options.database
  try {
    return await start(options, engine, webhooks)
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function start(options: IssuerOptions, engine: Engine, webhooks: readonly Webhook[]): Promise<Issuer> {
  const { dev = false, clock = systemClock } = options
  const telemetry = createTelemetry()
  const onFault: NonNullable<IssuerOptions["onFault"]> = (...fault) => {
    telemetry.faulted()
    options.onFault?.(...fault)
  }
  const objection = await claimDatabase(engine, dev)
  if (objection !== undefined) throw new NotStarted(objection)
  const tell = tellOf(options.issuer, webhooks)
  const also = (event: Event) => {
    if (event.kind === "alarm.raised") telemetry.alarmed(event.code)
    return tell(event)
  }
  const archive = await openArchive(telemetry.engine(engine), clock, options.archive)
  if (typeof archive === "string") throw new NotStarted(archive)
  const opening = { ...options, clock, dev, onFault, also, told: webhooks, archive }
  const { rooms, feed } = await openRooms(opening, archive.engine)
  const callers = createCallers(rooms)
  const failures = countFailures(rooms.ledger)
  const admission = createAdmission(clock)
  telemetry.observe({ ...rooms, admission })
  const boundary = { callers, admission, telemetry, refused: failures.count, faulted: onFault }
  const app = createApp(endpointsOf(rooms), boundary)
  const following = rooms.policies.watch()
  const deafen = engine.hearOthers(() => void rooms.keyring.refresh().catch(onFault))
  const chores = startChores({ ...rooms, failures, onFault, retentionSeconds: options.retentionSeconds })
  const gate = countRequests(async (request) => app.fetch(request))
  const drain = () => {
    rooms.health.drain()
    rooms.streams.close()
  }
  return Object.freeze({
    fetch: gate.fetch,
    policyDigest: () => rooms.policies.inForce().digest,
    ledgerStopped: rooms.sequence.stopped,
    consoleLinks: () => linksFor(rooms),
    reload: async () => void (await rooms.policies.reload()),
    sweep: chores.all,
    drain,
    broken: engine.broken,
    async close(graceMilliseconds = PATIENCE_MILLISECONDS) {
      drain()
      await gate.close(graceMilliseconds)
      following.stop()
      deafen()
      rooms.deliveries.stop()
      await Promise.all([chores.stop(), feed.close()])
      telemetry.close()
      await failures.sum().catch(onFault)
      await engine.close()
    },
  })
}

/** A request that is still being sent after that has lost its chance. */
const PATIENCE_MILLISECONDS = 8000

/** As they were given, with what stands for those that were not. */
interface Opening extends Omit<IssuerOptions, "archive"> {
  readonly clock: Clock
  readonly dev: boolean
  readonly onFault: (error: unknown) => void
  readonly told: readonly Webhook[]
  readonly archive: OpenedArchive
  /** What goes with an entry. */
  readonly also: (event: Event) => readonly Step[]
}

async function openRooms(
  options: Opening,
  engine: Engine,
): Promise<{ readonly rooms: Rooms; readonly feed: FeedWatch }> {
  const { issuer, clock, dev, onFault, also, told: webhooks, archive } = options
  const names = createNames(engine)
  const ledger = await createLedger({ engine, names, clock, also })
  const plainHttp = options.dangerouslyAllowPlainHttp ?? false
  const identities = createIdentities({ issuer, engine, ledger, clock, plainHttp, onFault })
  const policies = await openPolicies(options, { engine, ledger, admit: identities.admit })
  const { keyring, rotation } = await openKeys({ ...options, engine, ledger })
  const statusPlaces = await openStatusPlaces(engine, issuer, toEpochSeconds(ledger.at()))
  const known = { engine, names, ledger, policies, keyring, statusPlaces, clock, issuer }
  const log = await openLog(known, options.acceptRollback)
  if (typeof log === "string") throw new NotStarted(log)
  const feed = await watchFeed({ engine, clock, onFault })
  const parts = { ...known, ...log, engine: feed.engine, dev }
  const tasks = createTasks(parts)
  const watch = createWatch(parts)
  const deliveries = createDeliveries({ engine, ledger, keyring, webhooks, onFault })
  const health = openHealth({ ...parts, engine, identities, rotation, tasks, watch, deliveries, archive })
  const revocations = createRevocations(parts)
  const canaries = createCanaries({ ...parts, onFault })
  return {
    rooms: {
      ...parts,
      identities,
      rotation,
      tasks,
      approvals: createApprovals(parts),
      uses: createUses(parts),
      verifiers: createVerifiers(parts),
      declarations: createDeclarations(parts),
      posture: createPostureWatch({ ...parts, rotation }),
      closings: createClosings(parts),
      revocations,
      introspections: createIntrospections({ ...parts, canaries }),
      canaries,
      exposures: createExposures(parts),
      erasures: createErasures(parts),
      archives: createArchives({ ...parts, archive: archive.folder }),
      statusLists: createStatusLists(parts),
      streams: createFeedStreams({ revocations, feed, clock, onFault }),
      health,
      watch,
      ...openConsole({ ...parts, plainHttp, console: options.console ?? {} }),
      rollups: createRollups(parts),
      deliveries,
    },
    feed,
  }
}

async function openPolicies(
  options: Opening,
  parts: Pick<PolicyStoreOptions, "engine" | "ledger" | "admit">,
): Promise<PolicyStore> {
  const { policies: folder, dev, onFault, onPolicy: onState } = options
  const asked = { folder, dev, allowPlainHttp: options.dangerouslyAllowPlainHttp ?? false, onFault, onState }
  const policies = await createPolicyStore({ ...parts, ...asked })
  if (policies instanceof PolicyFaults) throw new NotStarted(`The policy is not valid:\n${policies}`)
  return policies
}

type Judged = Pick<Rooms, "engine" | "policies" | "keyring" | "rotation" | "clock"> &
  Pick<Rooms, "identities" | "tasks" | "watch" | "deliveries"> & { readonly archive: OpenedArchive }

function openHealth({ identities, tasks, watch, deliveries, archive, ...rooms }: Judged): Health {
  return watchHealth({
    ...rooms,
    unready: tasks.unready,
    verifierSilent: () => watch.standing().has("verifier_silent"),
    providerAway: () => identities.away(rooms.policies.inForce()),
    webhookLate: () => deliveries.standing().late > 0,
    archiveAway: archive.away,
  })
}
