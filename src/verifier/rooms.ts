// The parts of one verifier, opened in order and tied together. It decides nothing.
import type { Refusal } from "../errors.ts"
import { createIssuerCalls, createIssuerStreams } from "../remote/issuer-calls.ts"
import { createKeySet, type KeySet, type KeySetSnapshot } from "../remote/key-set.ts"
import { createServiceTokens } from "../remote/service-token.ts"
import type { Clock } from "../time.ts"
import { type Catalogue, createCatalogue } from "./catalogue.ts"
import { type Answer, createChallenge, type Scheme } from "./challenge.ts"
import { createTokenOpener, type OpenToken } from "./genuine.ts"
import { openInstance } from "./instance.ts"
import type { VerifierSettings } from "./options.ts"
import { createPossession, type Possession } from "./possession.ts"
import { createRecorder, type Recorder } from "./recorder.ts"
import { createRevocations, type Revocations } from "./revocations.ts"
import { createShipper, type Shipper } from "./shipper.ts"
import { openSpool, type Spool } from "./spool.ts"

export interface Rooms {
  readonly clock: Clock
  readonly spool: Spool
  readonly keys: KeySet
  readonly revocations: Revocations
  readonly catalogue: Catalogue
  readonly recorder: Recorder
  readonly shipper: Shipper
  readonly possession: Possession
  readonly open: OpenToken
  readonly refused: (
    refusal: Refusal,
    scheme: Scheme,
    operation: string,
  ) => { readonly outcome: "refused"; readonly answer: Answer }
}

/** Opens the spool and everything on it; sends nothing. A failure leaves nothing open. */
export async function openRooms(settings: VerifierSettings): Promise<Rooms> {
  const spool = await openSpool(settings.spool)
  try {
    return await assemble(settings, spool)
  } catch (fault) {
    await spool.close()
    throw fault
  }
}

async function assemble(settings: VerifierSettings, spool: Spool): Promise<Rooms> {
  const { issuer, issuerAddress, credential, clock, recording, spoolLimitBytes: limitBytes } = settings
  const instance = await openInstance(spool, clock.now())
  const tokens = createServiceTokens({ issuer, issuerAddress, credential, proofKey: instance.key, clock })
  const calls = createIssuerCalls(issuer, issuerAddress, tokens)
  const keys = openKeys(settings, spool)
  const streams = createIssuerStreams(issuer, issuerAddress, tokens)
  const revocations = createRevocations({ calls, streams, spool, clock })
  const recorder = createRecorder({ spool, clock, limitBytes, recording })
  const { clientId } = credential
  const shipper = createShipper({ issuer, clientId, instance, spool, recorder, revocations, calls, clock })
  const challenge = createChallenge(settings.resource)
  return {
    clock,
    spool,
    keys,
    revocations,
    catalogue: createCatalogue({ calls, spool }),
    recorder,
    shipper,
    possession: createPossession({ origin: settings.origin, spool, clock }),
    open: createTokenOpener(keys),
    refused: (refusal, scheme, operation) => ({
      outcome: "refused",
      answer: challenge(refusal, scheme, operation),
    }),
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
