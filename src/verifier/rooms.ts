// The parts of one verifier, opened in order and tied together. It decides nothing.
import { emitWarning } from "node:process"
import type { Code, Refusal } from "../errors.ts"
import { createIssuerCalls, createIssuerStreams } from "../remote/issuer-calls.ts"
import { createKeySet, type KeySet, type KeySetSnapshot } from "../remote/key-set.ts"
import { createServiceTokens } from "../remote/service-token.ts"
import { rememberFront } from "../spool/front.ts"
import { openInstance } from "../spool/instance.ts"
import { createMemorySpool, type MemorySpool } from "../spool/memory-spool.ts"
import { createRecorder, type Recorder } from "../spool/recorder.ts"
import { openSharedSpool, type Sharing } from "../spool/sharing.ts"
import { openSpool, type Spool } from "../spool/spool.ts"
import type { Clock } from "../time.ts"
import type { TaskToken } from "../token/token.ts"
import { type ApprovedUses, createApprovedUses } from "./approved.ts"
import { type Catalogue, createCatalogue } from "./catalogue.ts"
import { type Answer, createChallenge, NOT_SHARED, type Scheme } from "./challenge.ts"
import { createDeclaration, type Declaration } from "./declaration.ts"
import { createCredentialOpener, type OpenCredential } from "./genuine.ts"
import { createIssuerTime, type IssuerTime } from "./issuer-time.ts"
import { createNonces, type Nonces } from "./nonce.ts"
import { createObserver, type Observer } from "./observe.ts"
import type { VerifierSettings } from "./options.ts"
import { createPossession, type Possession } from "./possession.ts"
import { createRevocations, type Revocations } from "./revocations.ts"
import { createShipper, type Shipper } from "./shipper.ts"
import { createUses, type Uses } from "./use.ts"
import { type LedgerFork, openWitness, type Witness } from "./witness.ts"

export interface Rooms {
  readonly clock: Clock
  readonly spool: Spool
  /** The same, where there is no disk. */
  readonly memorySpool: MemorySpool | undefined
  readonly keys: KeySet
  readonly revocations: Revocations
  readonly issuerTime: IssuerTime
  readonly catalogue: Catalogue
  readonly declaration: Declaration
  readonly recorder: Recorder
  readonly shipper: Shipper
  readonly witness: Witness
  readonly possession: Possession
  readonly approved: ApprovedUses
  readonly open: OpenCredential
  readonly uses: Uses
  /** Only in observe mode. */
  readonly observer: Observer | undefined
  /** Of the answer to an allowed request: that no cache keeps it, the next nonce of a bound token, and that nothing would be refused. */
  readonly headersOf: (token: TaskToken) => Readonly<Record<string, string>>
  readonly refused: (
    refusal: Refusal,
    scheme: Scheme,
    operation: string,
  ) => { readonly outcome: "refused"; readonly code: Code; readonly answer: Answer }
}

/** Opens the spool and everything on it; sends nothing. A failure leaves nothing open. */
export async function openRooms(settings: VerifierSettings): Promise<Rooms> {
  const opened = await openStore(settings)
  try {
    return await assemble(settings, opened)
  } catch (fault) {
    await opened.spool.close()
    throw fault
  }
}

interface Opened extends Pick<Rooms, "spool" | "memorySpool"> {
  readonly sharing?: Sharing
}

async function openStore({ spool: place, issuer, resource, credential }: VerifierSettings): Promise<Opened> {
  if (place === undefined) {
    const memorySpool = createMemorySpool()
    return { spool: memorySpool, memorySpool }
  }
  const opened = place.shared
    ? await openSharedSpool(place.path, JSON.stringify([issuer, resource, credential.clientId]))
    : { spool: await openSpool(place.path) }
  return { ...opened, spool: rememberFront(opened.spool), memorySpool: undefined }
}

async function assemble(settings: VerifierSettings, opened: Opened): Promise<Rooms> {
  const { spool, memorySpool, sharing } = opened
  const { issuer, issuerAddress, credential, clock, recording, spoolLimitBytes: limitBytes } = settings
  const instance = await openInstance(spool, clock.now())
  const tokens = createServiceTokens({ issuer, issuerAddress, credential, proofKey: instance.key, clock })
  const calls = createIssuerCalls(issuer, issuerAddress, tokens)
  const keys = openKeys(settings, spool)
  const streams = createIssuerStreams(issuer, issuerAddress, tokens)
  const issuerTime = createIssuerTime(clock)
  // A key that was revoked is followed by one that may be known nowhere yet: looked for before a token of it comes.
  const succeeded = (kid: string) => {
    keys.announce(kid).catch(() => undefined) // asked for again by the first token, and on its turn
  }
  const revocations = createRevocations({ calls, streams, spool, clock, issuerTime, succeeded })
  const recorder = createRecorder({ spool, clock, limitBytes, recording })
  const witness = await openWitness({ ...settings, spool, found: warnOfFork })
  const spoken = { issuer, clientId: credential.clientId, instance, applied: sharing?.applied ?? revocations }
  const shipper = createShipper({ ...spoken, spool, recorder, calls, clock, sharing, witness })
  const nonces = settings.dpopNonces ? createNonces(clock, sharing && spool.kept("nonces")) : undefined
  const observer = openObserver(settings, recorder)
  const uses = createUses(settings.resource)
  return {
    clock,
    spool,
    memorySpool,
    keys,
    revocations,
    issuerTime,
    catalogue: createCatalogue({ calls, spool, resource: settings.resource }),
    declaration: createDeclaration({ calls, instance: instance.id, clock }),
    recorder,
    shipper,
    witness,
    approved: createApprovedUses(calls),
    possession: createPossession({ origin: settings.origin, spool, clock, nonces }),
    open: createCredentialOpener(keys, uses),
    uses,
    observer,
    headersOf: createHeaders(nonces, observer),
    refused: createRefused(settings.resource, nonces),
  }
}

function createRefused(resource: string, nonces: Nonces | undefined): Rooms["refused"] {
  const challenge = createChallenge(resource)
  return (refusal, scheme, operation) => ({
    outcome: "refused",
    code: refusal.code,
    answer: challenge(refusal, scheme, operation, scheme === "DPoP" ? nonces?.current() : undefined),
  })
}

/** The proof stands in what the verifier says when it is asked whether it is ready. */
const warnOfFork = ({ at, why }: LedgerFork): void =>
  emitWarning(
    `taskmint: the issuer's ledger was rolled back or forked (${why}, found ${at}): nothing is served until an operator has decided`,
    { code: "TASKMINT_LEDGER_FORKED" },
  )

function openObserver({ observeUntil: until, issuer, clock }: VerifierSettings, recorder: Recorder) {
  return until === undefined ? undefined : createObserver({ until, issuer, recorder, clock })
}

function createHeaders(nonces: Nonces | undefined, observer: Observer | undefined): Rooms["headersOf"] {
  return ({ jkt }) => {
    const observed = observer?.active() ? observer.headers : NOT_SHARED
    return nonces && jkt !== undefined ? { ...observed, "DPoP-Nonce": nonces.current() } : observed
  }
}

function openKeys({ issuerAddress, clock }: VerifierSettings, spool: Spool): KeySet {
  const kept = spool.kept("keys")
  const stored: KeySetSnapshot | undefined = kept === undefined ? undefined : JSON.parse(kept)
  return createKeySet({
    address: `${issuerAddress}/.well-known/jwks.json`,
    clock,
    stored,
    // Keys that can't be kept are still known now; a restart without the issuer then knows older ones.
    keep: (snapshot) => void spool.keep("keys", JSON.stringify(snapshot)).catch(() => undefined),
  })
}
