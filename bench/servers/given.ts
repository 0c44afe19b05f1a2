// A verifier from what a benchmark gives to a guarded server, as JSON.
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"

export interface Given {
  readonly issuer: string
  readonly issuerAddress: string
  readonly resource: string
  readonly apiJwk: object
  readonly spool: string
  readonly recording?: "write-ahead" | "batched"
}

export const openGuard = (given: Given): Promise<Verifier> =>
  createVerifier({
    issuer: given.issuer,
    issuerAddress: given.issuerAddress,
    resource: given.resource,
    credential: { clientId: "tickets", privateJwk: given.apiJwk },
    spool: given.spool,
    recording: given.recording ?? "write-ahead",
  })
