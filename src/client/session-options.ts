// The options of a session, made into tokens, a key and somebody who renews. It decides who that is: the agent by its own
// token, the agent by its credential, or a function that was given.
import type { ServiceCredential } from "../remote/service-token.ts"
import type { Clock } from "../time.ts"
import type { SigningKey } from "../token/signature.ts"
import { readServiceUrl } from "./address.ts"
import { type AskApproval, askApproval, byCredential, byOwnToken } from "./approval.ts"
import { delegate } from "./delegation.ts"
import { type HandedToken, type TaskTokenHeld, takeOver } from "./held-token.ts"
import { asRecord, type IssuerCalls, openIssuer } from "./issuer-call.ts"
import { type Exchanging, exchangeOwnToken } from "./own-token.ts"
import { type Opened, renewalFailed } from "./session.ts"
import { createOwnKey, type SessionKey, signerOf } from "./session-key.ts"
import type { Surroundings } from "./surroundings.ts"
import { readTokens } from "./token-answer.ts"

export interface SessionOptions {
  /** What `task.handover().tokens` gave. `{ ...handover, key }` is the whole of it. */
  readonly tokens?: readonly HandedToken[]
  /** The issuer's name. With it the agent's own token is known, by which it renews. */
  readonly issuer?: string
  /** Where the issuer is reached, when that is not its name. */
  readonly issuerAddress?: string
  /** The task's id. */
  readonly task?: string
  /** Of a handover; the issuer ends the task then, whatever stands here. */
  readonly deadline?: number
  /** The agent's own name in the policy (`authenticate`) and its private key: it then collects the task's tokens. */
  readonly credential?: ServiceCredential
  /** Of an agent that collects: which running copy it is, when not the one that the task was started for. */
  readonly instance?: string
  /**
   * The agent's key, for tokens bound to it (RFC 9449): from `createSessionKey`, or a private JWK. One that collects without
   * it makes one.
   */
  readonly key?: SessionKey
  /** Who renews where the agent may not: asks the orchestrator for fresh tokens of this API (or of all). */
  readonly renew?: (resource: string) => Promise<readonly HandedToken[]>
  /**
   * What to ask a person about a call that was refused with `ask_approval`, or because the token does not grant the operation.
   * The call waits for the answer and goes on with it. It needs `issuer` and `task`, and `credential` or the agent's own token.
   */
  readonly approval?: AskApproval
  /** Seconds that one call waits in all, for tokens and for APIs that say `wait`. Default 30. */
  readonly waitSeconds?: number
  /** Lets the issuer be plain http anywhere: tokens then travel in the clear. Default false. */
  readonly dangerouslyAllowPlainHttp?: boolean
  readonly clock?: Clock
}

const MEMBERS = new Set<string>([
  "tokens",
  "issuer",
  "issuerAddress",
  "task",
  "deadline",
  "credential",
  "instance",
  "key",
  "renew",
  "approval",
  "waitSeconds",
  "dangerouslyAllowPlainHttp",
  "clock",
] satisfies (keyof SessionOptions)[])
const WAIT_SECONDS = 30

/** Collects the tokens where they are to be collected. TypeError for misuse, before anything is sent. */
export async function readSessionOptions(options: SessionOptions, around: Surroundings): Promise<Opened> {
  const unknown = Object.keys(options).find((member) => !MEMBERS.has(member))
  if (unknown !== undefined) throw new TypeError(`There is no option ${unknown}`)
  const { waitSeconds = WAIT_SECONDS } = options
  if (!(waitSeconds >= 0 && waitSeconds <= 86_400)) throw new TypeError("waitSeconds must be 0 to 86400")
  const how = options.credential ? await collect(options, around) : handed(options, around)
  const ask = options.approval && asker(options, options.approval, how, around)
  const given = delegator(options, how.key, around)
  const waitMilliseconds = waitSeconds * 1000
  const { calls: _, ...opened } = how
  return {
    ...opened,
    issuer: options.issuer,
    waitMilliseconds,
    ...(ask && { ask }),
    ...(given && { delegate: given }),
  }
}

/** `calls`: how the agent calls the issuer by its credential, where it has one. */
type How = Pick<Opened, "tokens" | "key" | "renew"> & { readonly calls?: IssuerCalls }

/** All tokens are had anew in one call, whichever of them is due. */
async function collect(options: SessionOptions, around: Surroundings): Promise<How> {
  const { issuer, issuerAddress, task, credential, instance, dangerouslyAllowPlainHttp } = options
  if (!issuer || !task || !credential)
    throw new TypeError("To collect tokens give issuer, task and credential")
  if (options.tokens || options.renew)
    throw new TypeError("Give either credential, or tokens that were handed over")
  const key = signerOf(options.key ?? createOwnKey())
  const address = issuerAddress === undefined ? {} : { issuerAddress }
  const plain = dangerouslyAllowPlainHttp === undefined ? {} : { dangerouslyAllowPlainHttp }
  const calls = openIssuer({ issuer, credential, ...address, ...plain }, around.clock, key)
  const path = `/tasks/${encodeURIComponent(task)}/tokens`
  const body = { dpop_jkt: key.thumbprint, ...(instance !== undefined && { instance }) }
  let pending: Promise<readonly TaskTokenHeld[]> | undefined
  const once = async () => {
    const asked = around.clock.now()
    const answer = await calls.call("POST", path, body, true)
    return readTokens(asRecord(answer.body).tokens, asked)
  }
  const renew = () => {
    pending ??= once().finally(() => {
      pending = undefined
    })
    return pending
  }
  return { tokens: await renew(), key, renew, calls }
}

function handed(options: SessionOptions, around: Surroundings): How {
  const { issuer, tokens, key: given, renew: asked } = options
  if (!Array.isArray(tokens))
    throw new TypeError(
      "tokens must be what task.handover() gave; an agent that collects its own gives credential",
    )
  const key = given && signerOf(given)
  const taken = tokens.map((one: HandedToken) => Object.freeze(takeOver(one)))
  const renews = taken.some(({ resource, scope }) => resource === issuer && scope.includes("task:renew"))
  const renew =
    issuer !== undefined && renews && key
      ? renewing(options, issuer, key, around)
      : asked && byFunction(asked)
  return { tokens: taken, key, renew }
}

/** By the agent's own token. */
const renewing = (
  options: SessionOptions,
  issuer: string,
  key: SigningKey,
  around: Surroundings,
): NonNullable<Opened["renew"]> => {
  const exchanging = exchangingOf(options, issuer, key, around)
  return async (resource, own) => [await exchangeOwnToken(await own(resource), resource, exchanging)]
}

function exchangingOf(
  { issuerAddress, dangerouslyAllowPlainHttp }: SessionOptions,
  issuer: string,
  key: SigningKey,
  { clock }: Surroundings,
): Exchanging {
  readServiceUrl(issuer, "issuer", dangerouslyAllowPlainHttp)
  const url = readServiceUrl(issuerAddress ?? issuer, "issuerAddress", dangerouslyAllowPlainHttp)
  return { issuer, address: url.href.replace(/\/$/, ""), key, clock }
}

function asker(
  options: SessionOptions,
  approval: AskApproval,
  { key, calls }: How,
  around: Surroundings,
): NonNullable<Opened["ask"]> {
  const { issuer, task } = options
  if (issuer === undefined || task === undefined || !key)
    throw new TypeError("To ask for approvals give issuer, task and the agent's key")
  const exchanging = exchangingOf(options, issuer, key, around)
  return async (own, { code }, held, { method, url, signal }) => {
    const question = await approval({ code, method, url: url.href })
    const of = { task, around }
    const way = calls ? byCredential(calls, of) : byOwnToken(exchanging, own)
    return question && askApproval({ ...of, ...way }, question, held.resource, signal)
  }
}

function delegator(
  options: SessionOptions,
  key: SigningKey | undefined,
  around: Surroundings,
): Opened["delegate"] {
  const { issuer } = options
  if (issuer === undefined || !key) return undefined
  const exchanging = exchangingOf(options, issuer, key, around)
  return (own, request) => delegate(own, request, exchanging)
}

const byFunction =
  (renew: (resource: string) => Promise<readonly HandedToken[]>): NonNullable<Opened["renew"]> =>
  async (resource) => {
    try {
      return (await renew(resource)).map((one) => Object.freeze(takeOver(one)))
    } catch (error) {
      throw renewalFailed(error)
    }
  }
