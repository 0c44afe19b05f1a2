// How a person gets a session: the page that leads to their provider, the way there, and what is made of the provider's answer.
// The code is exchanged by remote/code-flow.ts, the ID token judged as at /token (person.ts), and whom it lets in is the
// policy's. It decides the order, what is told in the ledger, and that nobody is sent anywhere that a request named.
import { z } from "@hono/zod-openapi"
import { LRUCache } from "lru-cache"
import { addressOf } from "../../console/parts.ts"
import { onwardPage, setUpPage, signInPage } from "../../console/sign-in-page.ts"
import { Duplicate } from "../../database/database.ts"
import { Refusal, refuse } from "../../errors.ts"
import { NotTaken, type SignInSecrets } from "../../remote/code-flow.ts"
import { Unreachable } from "../../remote/exchange.ts"
import { toEpochSeconds } from "../../time.ts"
import { type Endpoint, open } from "../endpoint.ts"
import { FRESH_SECONDS } from "../fresh.ts"
import { judgeIdToken, type SignedIn } from "../person.ts"
import { type AtOnce, limitAtOnce, limitPerMinute } from "../rate.ts"
import { spendIdentity } from "../replay.ts"
import type { Rooms } from "../rooms.ts"
import { ATTEMPT_SECONDS, type Attempt, newAttempt, placeOf, readAttempt } from "./attempt.ts"
import { attemptCookie, cookieOf, noAttempt, sessionCookie } from "./cookie.ts"
import { CALLBACK_PATH, type SignInProvider } from "./provider.ts"
import { htmlAnswer, onward, SIGN_IN_PATH } from "./route.ts"
import { SESSION_SECONDS } from "./sessions.ts"
import { claimsAskedFor, entriesOf } from "./staff.ts"

const START_PATH = `${SIGN_IN_PATH}/start`

/** What a provider is asked for: somebody who showed who they are so lately that a session is worth beginning. */
const MAX_AGE_SECONDS = 27_000
/** The same, where they are to show it now. */
const MAX_AGE_AGAIN_SECONDS = 600

/** Sign-ins of one person: more than anybody needs, less than would fill a disk. */
const MOST_PER_MINUTE = 20
/** People whom the provider vouches for and the policy does not know are told of once an hour each. */
const TOLD = { max: 1024, ttl: 3_600_000 }
/** Answers that were tried are not tried again; the provider would refuse them, too. */
const TRIED = { max: 8192 }
/** Conversations with a provider: where it is slow or many knock, sign-ins are refused and nobody else waits. */
const MOST_AT_ONCE = 16

const PAGE = { description: "A page", others: { "text/html": z.string() } }
const described = (path: string, summary: string) =>
  ({ method: "get", path, summary, group: "console", answers: { 200: PAGE } }) as const

export function signInEndpoints(rooms: Rooms): Endpoint[] {
  const atOnce = limitAtOnce(MOST_AT_ONCE)
  return [showSignIn(rooms), startSignIn(rooms, atOnce), finishSignIn(rooms, atOnce)]
}

const showSignIn = ({ signIns, issuer, links, visitors }: Rooms): Endpoint =>
  open({
    ...described(SIGN_IN_PATH, "Where a person begins to sign in, or how that is set up"),
    async run(request) {
      const found = signIns.current()
      if (typeof found === "string") {
        const redirectUri = `${issuer}${CALLBACK_PATH}`
        return htmlAnswer(503, setUpPage({ why: found, redirectUri, links: links !== undefined }))
      }
      const { to, again } = askedFor(request)
      const href = addressOf(START_PATH, { to, again: again ? "yes" : undefined })
      const known = again && (await visitors.of(request)) !== undefined
      const session = request.headers.get("sec-fetch-site") === "cross-site" ? to : undefined
      const shown = { provider: found.provider.name, href, again: known, session }
      return htmlAnswer(200, signInPage(shown))
    },
  })

/** Of what is asked by query, two words are known. */
function askedFor(request: Request): { readonly to: string; readonly again: boolean } {
  const { searchParams } = new URL(request.url)
  return { to: placeOf(searchParams.get("to")), again: searchParams.get("again") === "yes" }
}

const startSignIn = ({ signIns, sessions, clock }: Rooms, atOnce: AtOnce): Endpoint =>
  open({
    ...described(START_PATH, "On to the person's provider"),
    async run(request) {
      const found = signIns.current()
      // Another site may lead people to our page, and not on from there.
      if (typeof found === "string" || !isFromHere(request.headers)) return onward(SIGN_IN_PATH)
      const replaces = sessions.digestIn(request)
      const begun = { ...askedFor(request), begunAt: toEpochSeconds(clock.now()), replaces }
      const { value, secrets } = newAttempt(begun)
      const maxAge = begun.again ? MAX_AGE_AGAIN_SECONDS : MAX_AGE_SECONDS
      const address = await atOnce(() => unlessAway(() => found.flow.begin(secrets, maxAge)))
      if (address instanceof Refusal) return address
      return withCookies(onward(address), attemptCookie(value, ATTEMPT_SECONDS))
    },
  })

/** Typed in, or from a page of ours; a browser that says nothing is believed: nothing is changed here. */
const isFromHere = (headers: Headers): boolean =>
  ["same-origin", "none"].includes(headers.get("sec-fetch-site") ?? "none")

function finishSignIn(rooms: Rooms, atOnce: AtOnce): Endpoint {
  const tried = new LRUCache<string, true>(TRIED)
  const letIn = createDoor(rooms)
  return open({
    ...described(CALLBACK_PATH, "What the person's provider answered"),
    async run(request) {
      if (request.method !== "GET") return refuse("method_not_allowed", "[method]")
      const found = rooms.signIns.current()
      const attempt = readAttempt(
        cookieOf(request, "__Host-taskmint-sign-in"),
        toEpochSeconds(rooms.clock.now()),
      )
      if (typeof found === "string" || !attempt)
        return refuse("sign_in_again", "[attempt] none that is known here")
      const { state } = attempt.secrets
      if (tried.has(state)) return refuse("sign_in_again", "[attempt] tried before")
      if (!isAnswerTo(request, state)) return refuse("invalid_client", "[state] of another sign-in")
      tried.set(state, true)
      const done = await atOnce(() => letIn(found, attempt, queryOf(request)))
      if (done instanceof Refusal) return done
      // The browser came from another site, and sends no SameSite=Strict cookie along for as long as redirects lead it on;
      // from a page of ours it does.
      const answer = onwardAnswer(attempt.to, done.name)
      return withCookies(answer, sessionCookie(done.id), noAttempt)
    },
  })
}

const queryOf = ({ url }: Request): string => new URL(url).search.slice(1)

/** Before anybody is asked: what does not name this sign-in comes from somewhere else. */
const isAnswerTo = (request: Request, state: string): boolean => {
  const states = new URL(request.url).searchParams.getAll("state")
  return states.length === 1 && states[0] === state
}

type LetIn = (
  at: SignInProvider,
  attempt: Attempt & { readonly secrets: SignInSecrets },
  query: string,
) => Promise<{ readonly id: string; readonly name: string } | Refusal>

/** From a provider's answer to a session. */
function createDoor(rooms: Rooms): LetIn {
  const { policies, sessions, tasks, ledger } = rooms
  const told = new LRUCache<string, true>({ ...TOLD, perf: { now: () => rooms.clock.monotonic() } })
  const crowded = limitPerMinute(MOST_PER_MINUTE)
  const tell = async ({ provider }: SignInProvider, { name }: SignedIn) => {
    if (told.has(name)) return
    const body = { at: "console", by: "openid", provider: provider.name }
    const facts = {
      kind: "client.refused",
      sub: name,
      code: "invalid_client",
      outcome: "refused",
      body,
    } as const
    await ledger.append([{ ...facts, at: ledger.at() }])
    told.set(name, true)
  }
  return async (at, attempt, query) => {
    const unsteady = tasks.unsteady()
    if (unsteady) return unsteady
    const text = await unlessAway(() => at.flow.finish(query, attempt.secrets))
    if (text instanceof Refusal) return text
    if (text instanceof NotTaken) return notTaken(text)
    const { provider, clientId: audience } = at
    const withinSeconds = attempt.again ? FRESH_SECONDS : SESSION_SECONDS
    const signedIn = await judgeIdToken(rooms, provider, text, { audience, rules: [], withinSeconds })
    if (signedIn instanceof Refusal) return signedIn
    const { identity, name, at: signedInAt } = signedIn
    const claims = claimsAskedFor(policies.inForce(), provider.name, identity.claims)
    const kept = { provider: provider.name, issuer: provider.issuer, claims }
    const entries = entriesOf(policies.inForce(), kept)
    if (entries.length === 0) {
      await tell(at, signedIn)
      return refuse("invalid_client", "[policy] no entry of staff fits them")
    }
    if (crowded(name, rooms.clock.now()))
      return refuse("too_many_requests", "[rate] sign-ins", { retryAfterSeconds: 60 })
    const how = { by: "openid", provider: provider.name, kid: identity.kid }
    const once = spendIdentity(identity.issuer, identity.once, identity.exp)
    const { replaces } = attempt
    try {
      const person = { person: name, identity: kept, entries, signedInAt, how, once, replaces }
      const id = await sessions.begin(person)
      return id instanceof Refusal ? id : { id, name }
    } catch (error) {
      if (error instanceof Duplicate)
        return refuse("invalid_client", "[replay] this ID token was used before")
      throw error
    }
  }
}

/** Only a code of the standard is shown, so that whoever sets the provider up learns what it did not like. */
const notTaken = ({ tag }: NotTaken): Refusal =>
  refuse("invalid_client", `[provider] ${tag}`, {
    errors: [{ pointer: "", expected: `another answer of the provider than ${tag}` }],
  })

async function unlessAway<T>(ask: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    return refuse("temporarily_unavailable", "[provider] it can't be asked", { retryAfterSeconds: 10 })
  }
}

/** What was answered stands in the page's own address, and is nobody's to be told. */
export const onwardAnswer = (to: string, name: string): Response =>
  htmlAnswer(200, onwardPage(to, name), { refresh: `0; url=${to}`, "referrer-policy": "no-referrer" })

export function withCookies(answer: Response, ...cookies: readonly string[]): Response {
  for (const cookie of cookies) answer.headers.append("set-cookie", cookie)
  return answer
}
