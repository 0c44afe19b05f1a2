// Renewal by the agent: its own token, with a proof by its key, exchanged for a fresh token of one API or of itself (RFC
// 8693). Whether the task may still have one is the issuer's decision.

import { exchange } from "../remote/exchange.ts"
import type { Clock } from "../time.ts"
import { toEpochSeconds } from "../time.ts"
import { signProof } from "../token/proof.ts"
import type { SigningKey } from "../token/signature.ts"
import type { TaskTokenHeld } from "./held-token.ts"
import { againWhenReset, reach, readBody, refusalOf } from "./issuer-call.ts"
import { readExchanged } from "./token-answer.ts"

export interface Exchanging {
  /** The issuer's name. */
  readonly issuer: string
  /** Where it is reached, without a slash at the end. */
  readonly address: string
  readonly key: SigningKey
  readonly clock: Clock
}

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
const LIMITS = { maxBytes: 64 * 1024, timeoutMilliseconds: 10_000 }

/** A fresh token of that API, or of the issuer for the agent's own. Throws ClientError. */
export async function exchangeOwnToken(
  own: TaskTokenHeld,
  resource: string,
  exchanging: Exchanging,
): Promise<TaskTokenHeld> {
  const { asked, body } = await exchangeToken(own, exchanging, { resource })
  return readExchanged(body, resource, asked)
}

/** The answer as it came, and when it was asked for. Throws ClientError. */
export async function exchangeToken(
  own: TaskTokenHeld,
  { issuer, address, key, clock }: Exchanging,
  wanted: Readonly<Record<string, string>>,
): Promise<{ readonly asked: number; readonly body: unknown }> {
  const asked = clock.now()
  const form = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE,
    subject_token: own.token.reveal(),
    subject_token_type: ACCESS_TOKEN,
    ...wanted,
  })
  const send = () => {
    const url = `${issuer.replace(/\/$/, "")}/token`
    const accessToken = own.token.reveal()
    const dpop = signProof({ method: "POST", url, accessToken, now: toEpochSeconds(clock.now()) }, key)
    const headers = { "content-type": "application/x-www-form-urlencoded", dpop }
    return exchange(`${address}/token`, { method: "POST", headers, body: form.toString() }, LIMITS)
  }
  const answer = await reach(address, () => send().catch(againWhenReset(send)))
  if (answer.status < 200 || answer.status > 299) throw refusalOf(answer)
  return { asked, body: readBody(answer) }
}
