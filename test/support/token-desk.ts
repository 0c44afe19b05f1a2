// The counter of the token endpoint, for tests: assertions with any member bent, presented over HTTP.
import { randomUUID } from "node:crypto"
import { expect } from "vitest"
import { toEpochSeconds } from "../../src/time.ts"
import type { SigningKey } from "../../src/token/signature.ts"
import { compact } from "./forge.ts"
import { ASSERTION_TYPE, type House, ISSUER } from "./issuer-house.ts"

export const NAME = "support-orchestrator"

export interface Told {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** What every failed authentication looks like, whatever failed. */
const REFUSED = {
  status: 401,
  body: {
    error: "invalid_client",
    error_description: "The caller could not be authenticated",
    code: "invalid_client",
    next: "stop",
  },
}

export async function told(answer: Promise<Response> | Response): Promise<Told> {
  const response = await answer
  const body: unknown = await response.json()
  return { status: response.status, body: typeof body === "object" && body !== null ? { ...body } : {} }
}

/** The one refusal, byte for byte but for the request id. */
export async function expectRefused(answer: Promise<Response>, what = ""): Promise<void> {
  const { status, body } = await told(answer)
  const { request_id: _, ...rest } = body
  expect({ status, body: rest }, what).toEqual(REFUSED)
}

export function openDesk(house: House) {
  const now = () => toEpochSeconds(house.clock.now())
  const claims = (changes: object = {}) => ({
    iss: NAME,
    sub: NAME,
    aud: ISSUER,
    jti: randomUUID(),
    iat: now(),
    exp: now() + 60,
    ...changes,
  })
  const header = (changes: object = {}) => ({
    typ: "client-authentication+jwt",
    alg: "ES256",
    kid: house.keys[NAME].kid,
    ...changes,
  })
  return {
    now,
    claims,
    header,
    assert: (changes: object = {}, head: object = {}, key: SigningKey = house.keys[NAME]) =>
      compact(header(head), claims(changes), key),
    present: (assertion: string, more: Record<string, string> = {}, headers: Record<string, string> = {}) =>
      house.form(
        {
          grant_type: "client_credentials",
          client_assertion_type: ASSERTION_TYPE,
          client_assertion: assertion,
          ...more,
        },
        headers,
      ),
  }
}
