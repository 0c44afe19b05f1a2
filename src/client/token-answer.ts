// Tokens as the issuer answers them, read into what is held: a list of them (start, renew, collect, resume), or the one of
// a token exchange (RFC 8693). It decides when each is to be renewed; whether it may be is the issuer's decision.
import { ClientError } from "./error.ts"
import { HeldToken, type TaskTokenHeld } from "./held-token.ts"
import { asRecord } from "./issuer-call.ts"

/** `asked`: when the request was sent, so that a slow answer makes tokens older, never younger. */
export function readTokens(
  value: unknown,
  asked: number,
  random: () => number = Math.random,
): readonly TaskTokenHeld[] {
  if (!Array.isArray(value)) throw misread()
  return value.map((one) => readToken(asRecord(one), asked, random))
}

/** RFC 8693 section 2.2.1. The answer does not name the API: it is the one that was asked for. */
export const readExchanged = (value: unknown, resource: string, asked: number): TaskTokenHeld =>
  readToken({ ...asRecord(value), resource }, asked, Math.random)

function readToken(
  one: Readonly<Record<string, unknown>>,
  asked: number,
  random: () => number,
): TaskTokenHeld {
  const { resource, access_token, token_type, expires_in, renew_in, scope, authorization_details } = one
  if (typeof resource !== "string" || !URL.canParse(resource)) throw misread()
  if (typeof access_token !== "string" || typeof expires_in !== "number") throw misread()
  return Object.freeze({
    resource,
    token: new HeldToken(resource, access_token),
    tokenType: token_type === "DPoP" ? "DPoP" : "Bearer",
    expiresAt: asked + expires_in * 1000,
    renewAt: asked + renewInSeconds(expires_in, renew_in, random) * 1000,
    scope: typeof scope === "string" ? scope.split(" ") : [],
    authorizationDetails: Array.isArray(authorization_details) ? authorization_details : [],
  })
}

const EARLIEST_SHARE = 0.7
const LATEST_SHARE = 0.8

/**
 * At 70 to 80 % of its life. The issuer names the second, so that tokens that end together are renewed apart; chance picks
 * the moment in it, and the second where none was named that fits. An earlier one is followed, a later one is not.
 */
export function renewInSeconds(life: number, named: unknown, random: () => number): number {
  const earliest = Math.floor(life * EARLIEST_SHARE)
  const latest = life * LATEST_SHARE
  if (typeof named !== "number" || !(named >= 0 && named <= latest))
    return life * (EARLIEST_SHARE + (LATEST_SHARE - EARLIEST_SHARE) * random())
  return named < earliest ? named : Math.min(named + random(), latest)
}

export const misread = () =>
  new ClientError("The issuer's answer does not have the members that the contract names", {
    code: "answer_invalid",
    next: "stop",
  })
