// What a host says when it creates a verifier, read once: misuse is a TypeError before anything opens. It decides nothing
// about requests.
import { readVkey } from "../ledger/checkpoint.ts"
import type { ServiceCredential } from "../remote/service-token.ts"
import type { Recording } from "../spool/recorder.ts"
import { type Clock, parseInstant, systemClock } from "../time.ts"
import { isName } from "../token/name.ts"
import { MAX_OBSERVE_MILLISECONDS } from "./observe.ts"

export interface VerifierOptions {
  /** The issuer's name, an https URL (plain http on loopback only), compared byte for byte with `iss`. */
  readonly issuer: string
  /** This API's RFC 8707 resource URL, compared byte for byte with `aud`. Its origin is the origin of every `htu`. */
  readonly resource: string
  /**
   * The API's name in the policy and its private key, or the file in which its platform keeps a JWT for the issuer, such as
   * a projected service account token.
   */
  readonly credential: ServiceCredential
  /**
   * Path of the spool, a file of this verifier alone; made 0600 when absent. Needs a disk that survives a restart. No path
   * with `direct` recording only. `{ path, limitBytes }`: how many bytes of unacknowledged uses it holds before requests are
   * refused with 503; default 1 GiB, and 16 MiB with `direct` recording, in memory. `{ path, shared: true }`: the processes of one host that guard the same API share it
   * (`node:cluster`, pm2, containers with one volume, each with a verifier of its own), and are one verifier instance to
   * the issuer. Then a proof of possession passes once in all of them, and each may hold its part of `limitBytes`.
   * The disk must be this host's own: NOT one that several hosts mount. What one process can't know is not checked:
   * whether the others record and limit as it does.
   */
  readonly spool?: string | SpoolOptions
  /** Where the issuer is reached, when that is not its name. */
  readonly issuerAddress?: string
  /** Requests that carry no credential of ours: refused (default), or left to the host's own authentication. */
  readonly others?: "refuse" | "next"
  /**
   * `write-ahead` (default): a use is on the spool's disk before its handler runs. `batched`: a request waits for no disk;
   * a process that is killed loses the uses that were not on disk yet (of some milliseconds), and a spool that can't be
   * written is noticed after the first uses that it lost: from then on requests wait for it, and are refused while it
   * fails. `direct`, for hosts without a disk: the issuer has acknowledged a use before its handler runs, and a request is
   * refused with 503 when that takes longer than five seconds; a use may then stand in the ledger that no handler served,
   * never the reverse. Uses have no status and no duration, and proofs of possession always need nonces.
   */
  readonly recording?: Recording
  /** Lets issuer and address be plain http anywhere. Tokens and refusals then travel in the clear. Default false. */
  readonly dangerouslyAllowPlainHttp?: boolean
  /**
   * Whether a proof of possession needs a nonce of this verifier (RFC 9449 section 9): for an API on several hosts, where a
   * proof that one of them has seen could be replayed to another. With it the sender's clock counts no more. Default false.
   */
  readonly dpopNonces?: boolean
  /**
   * `{ observe: { until } }`: refuses nothing until then (RFC 3339, at most 30 days ahead), and records and tells what it
   * would have refused. It is over by itself. Absent: refuses.
   */
  readonly mode?: { readonly observe: { readonly until: string } }
  /**
   * The key of the issuer's ledger, as its operator noted it down: a vkey (C2SP signed-note). Only checkpoints that it signed
   * are taken, and those of keys that it handed over to. Another one than before is an operator's word: where it is of
   * another log, that one begins here. Absent: the key that the issuer names when it is asked for the first time.
   */
  readonly ledgerKey?: string
  readonly clock?: Clock
}

export interface SpoolOptions {
  readonly path?: string
  readonly shared?: true
  /** 65536 or more. */
  readonly limitBytes?: number
}

export interface SpoolPlace {
  readonly path: string
  readonly shared: boolean
}

/** The same, whole and frozen. */
export interface VerifierSettings {
  readonly issuer: string
  readonly resource: string
  readonly origin: string
  readonly credential: ServiceCredential
  /** Undefined: in memory. */
  readonly spool: SpoolPlace | undefined
  readonly issuerAddress: string
  readonly others: "refuse" | "next"
  readonly recording: Recording
  readonly spoolLimitBytes: number
  readonly dpopNonces: boolean
  /** Epoch milliseconds; possibly over. */
  readonly observeUntil: number | undefined
  /** Undefined: whichever the issuer names first. */
  readonly ledgerKey: string | undefined
  readonly clock: Clock
}

const MEMBERS = new Set([
  "issuer",
  "resource",
  "credential",
  "spool",
  "issuerAddress",
  "others",
  "recording",
  "dangerouslyAllowPlainHttp",
  "clock",
  "dpopNonces",
  "mode",
  "ledgerKey",
])

/** Throws TypeError for whatever is missing, misspelled or not supported yet. */
export function readOptions(options: VerifierOptions): VerifierSettings {
  for (const member of Object.keys(options))
    if (!MEMBERS.has(member)) throw new TypeError(`createVerifier: there is no option ${member}`)
  const recording = checkRecording(options.recording ?? "write-ahead")
  const direct = recording === "direct"
  const others = options.others ?? "refuse"
  if (others !== "refuse" && others !== "next")
    throw new TypeError('createVerifier: others is "refuse" or "next"')
  if (direct && options.dpopNonces === false)
    throw new TypeError("createVerifier: direct recording needs dpopNonces: no disk remembers proofs")
  const clock = options.clock ?? systemClock
  const plain = options.dangerouslyAllowPlainHttp === true
  const issuer = checkUrl("issuer", options.issuer, plain)
  const resource = checkUrl("resource", options.resource, plain)
  return Object.freeze({
    issuer,
    resource,
    origin: new URL(resource).origin,
    credential: checkCredential(options.credential),
    ...checkSpool(options.spool, direct),
    issuerAddress: checkUrl("issuerAddress", options.issuerAddress ?? issuer, plain).replace(/\/$/, ""),
    others,
    recording,
    dpopNonces: checkFlag("dpopNonces", options.dpopNonces ?? direct),
    observeUntil: options.mode === undefined ? undefined : checkObserve(options.mode, clock),
    ledgerKey: options.ledgerKey === undefined ? undefined : checkLedgerKey(options.ledgerKey),
    clock,
  })
}

function checkUrl(name: string, text: unknown, plainHttp: boolean): string {
  if (typeof text !== "string" || !URL.canParse(text)) throw new TypeError(`createVerifier: ${name} is a URL`)
  const url = new URL(text)
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  const allowed = url.protocol === "https:" || (url.protocol === "http:" && (loopback || plainHttp))
  if (!allowed) throw new TypeError(`createVerifier: ${name} is an https URL (plain http on loopback only)`)
  if (url.username || url.password || url.search || url.hash)
    throw new TypeError(`createVerifier: ${name} has no user, query or fragment`)
  return text
}

function checkCredential(credential: unknown): ServiceCredential {
  if (typeof credential !== "object" || credential === null)
    throw new TypeError(
      "createVerifier: credential is { clientId } and one of privateJwk, privateJwkFile and assertionFile",
    )
  const { clientId } = credential as { clientId?: unknown }
  if (!isName(clientId))
    throw new TypeError("createVerifier: credential.clientId is the API's name in the policy")
  if (CREDENTIALS.filter((member) => member in credential).length !== 1)
    throw new TypeError("createVerifier: credential has one of privateJwk, privateJwkFile and assertionFile")
  return Object.freeze({ ...credential }) as ServiceCredential
}

const CREDENTIALS = ["privateJwk", "privateJwkFile", "assertionFile"]

function checkRecording(recording: unknown): Recording {
  if (recording === "write-ahead" || recording === "direct" || recording === "batched") return recording
  throw new TypeError('createVerifier: recording is "write-ahead", "direct" or "batched"')
}

const MEMORY_BYTES = 16 * 1024 ** 2
const DISK_BYTES = 1024 ** 3

function checkSpool(spool: unknown, direct: boolean): Pick<VerifierSettings, "spool" | "spoolLimitBytes"> {
  const given: { path?: unknown; shared?: unknown; limitBytes?: unknown } =
    typeof spool === "object" && spool !== null ? spool : { path: spool }
  const { path, shared, limitBytes = direct ? MEMORY_BYTES : DISK_BYTES, ...others } = given
  if ((shared !== undefined && shared !== true) || Object.keys(others).length > 0)
    throw new TypeError("createVerifier: spool is the path of a file, or { path, shared: true, limitBytes }")
  if (direct && (path !== undefined || shared))
    throw new TypeError("createVerifier: direct recording has no spool but its limitBytes")
  return {
    spool: direct ? undefined : { path: checkPath(path), shared: shared === true },
    spoolLimitBytes: checkLimit(limitBytes),
  }
}

function checkPath(path: unknown): string {
  if (typeof path !== "string" || path === "" || path === ":memory:")
    throw new TypeError("createVerifier: spool is the path of a file")
  return path
}

function checkFlag(name: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError(`createVerifier: ${name} is true or false`)
  return value
}

/** A date that has passed is no misuse: a restart must not stop the API. */
function checkObserve(mode: unknown, clock: Clock): number {
  const { observe, ...others }: { observe?: unknown } = Object(mode)
  const { until, ...more }: { until?: unknown } = Object(observe)
  const end = typeof until === "string" ? parseInstant(until) : undefined
  if (end === undefined || Object.keys({ ...others, ...more }).length > 0)
    throw new TypeError('createVerifier: mode is { observe: { until: "2026-12-24T00:00:00Z" } } or absent')
  if (end > clock.now() + MAX_OBSERVE_MILLISECONDS)
    throw new TypeError("createVerifier: mode.observe.until is at most 30 days ahead")
  return end
}

function checkLedgerKey(text: unknown): string {
  if (typeof text === "string" && readVkey(text)) return text
  throw new TypeError(
    "createVerifier: ledgerKey is a vkey of an Ed25519 key, as ledger_key in the issuer's metadata",
  )
}

function checkLimit(bytes: unknown): number {
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 64 * 1024)
    throw new TypeError("createVerifier: spool.limitBytes is a whole number of bytes, 65536 or more")
  return bytes
}
