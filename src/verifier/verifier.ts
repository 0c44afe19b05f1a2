// The guard in front of an API: whether one request may reach its handler, and that nothing passes unrecorded. It decides
// by the checks of token/ in the contract's order; what the host does with a refusal is copied, not chosen, by adapters.
import { emitWarning } from "node:process"
import { type Code, Refusal, refuse } from "../errors.ts"
import type { UseRecord } from "../token/batch.ts"
import { newId } from "../token/id.ts"
import type { TaskToken } from "../token/token.ts"
import { judgeToken, judgeUse } from "../token/verify.ts"
import { type BoundUse, type Given, isFree } from "./approved.ts"
import { type Answer, describeResource, type ResourceMetadata, type Scheme } from "./challenge.ts"
import { namesIssuer } from "./credential.ts"
import { readOptions, type VerifierOptions, type VerifierSettings } from "./options.ts"
import { createPresentation, type Presentation, type ReadPresentation } from "./presentation.ts"
import { type Readiness, readinessOf } from "./readiness.ts"
import { createRecognize, type Recognized, type Unrecognized } from "./recognition.ts"
import { openRooms, type Rooms } from "./rooms.ts"
import { activeTraceId, createTelemetry } from "./telemetry.ts"
import { type AskedUse, tailOf } from "./use.ts"
import { startWork } from "./work.ts"

/** The checked values of an allowed request: what a handler uses instead of reading the URL again. */
export interface TaskUse {
  readonly task: string
  readonly agent: string
  readonly instance: string
  readonly sub: string
  readonly orchestrator: string
  readonly operation: string
  /** The segments that were checked. */
  readonly resource: readonly string[]
  /** The route parameters that the resource was made of, decoded, by name. */
  readonly parameters: Readonly<Record<string, string>>
  readonly useId: string
}

/** A request as an adapter sees it: nothing here is trusted or normalised. */
export interface RequestView {
  readonly method: string
  /** The request target as received: path and query, or absolute-form. */
  readonly target: string
  /** Names and values in turn, as they came over the wire. */
  readonly rawHeaders: readonly string[]
  /** The route that the framework matched, as the host wrote it. */
  readonly route?: string
}

/** A request that goes on. */
interface Passing {
  /** To be joined to the answer's own (outgoing.ts) when the handler is done. */
  readonly headers: Readonly<Record<string, string>>
  /** Joins the handler's status to the recorded use. Call it once, when the handler is done; it never waits. */
  finished(status: number): void
  /**
   * Why a request like this would be refused by now, where it would: for what outlasts its answer, such as a WebSocket. Asks
   * about time, revocation and how old the knowledge of it is, not for a proof again. Never waits, records nothing.
   */
  stands(): Code | undefined
}

export interface Allowed extends Passing {
  readonly outcome: "allowed"
  readonly use: TaskUse
}

/** Only in observe mode: it would have been refused. There are no checked values; the credential is ours, and taken off. */
export interface Observed extends Passing {
  readonly outcome: "observed"
}

export interface Refused {
  readonly outcome: "refused"
  readonly code: Code
  readonly answer: Answer
}

/** Only with `others: "next"` and in observe mode: the request carries no credential of ours. */
export interface NotOurs extends Passing {
  readonly outcome: "not_ours"
  /** Whether it would have been refused. */
  readonly observed: boolean
}

export type Decision = Allowed | Observed | Refused | NotOurs

export interface Verifier {
  /**
   * Decides one request. Allowed means: recorded durably in the spool already (with `batched` recording: on its way
   * there). Never rejects: a fault of any kind is a
   * refusal with 503. `resource` undefined: a part of it was absent or is not plain data. `given`: asked for a token that a
   * person approved; absent, only what was approved without parameters passes. A token for one use is claimed at the issuer
   * first, and refused with 503 when it can't be.
   */
  check(
    view: RequestView,
    operation: string,
    resource: readonly string[] | undefined,
    parameters?: Readonly<Record<string, string>>,
    given?: Given,
  ): Promise<Decision>
  /**
   * Whether the request carries a live token for this API, where it uses nothing of it: for protocols that greet and list
   * before they call. Recorded nowhere, also when refused. `operations` bound how old the knowledge of revocations may
   * be, as the most patient of them does. Does NOT decide any operation or resource; what does something is checked.
   */
  recognize(view: RequestView, operations: readonly string[]): Promise<Recognized | Unrecognized | Refused>
  /** The refusal of what no guard covers, whoever asks: there is no decision on a token, so nothing is recorded. */
  unmapped(): Refused
  /**
   * Remembers that a guard serves the operation on resources of this shape, for the issuer to compare with its policy. Adapters
   * call it when a guard is made; it is told beside requests, and decides nothing.
   */
  declare(operation: string, resource: string): void
  /** RFC 9728: for the host to serve at its path. */
  readonly metadata: ResourceMetadata
  /** Whether keys and revocations are known, the clock can be believed and the spool takes uses. */
  ready(): Readiness
  /**
   * Resolves when every use that it recorded so far is acknowledged by the issuer, and proved to be in its ledger; waits as
   * long as that takes.
   */
  flush(): Promise<void>
  /**
   * Ships what it can within five seconds, says a final word to the issuer, releases the spool. What is left is shipped
   * after the next start. Where other processes share the spool, they ship it, and the last of them says that word.
   */
  close(): Promise<void>
}

/** Opens the spool and starts to fetch keys and revocations. Resolves without network. Throws TypeError for misuse. */
export async function createVerifier(options: VerifierOptions): Promise<Verifier> {
  const settings = readOptions(options)
  const rooms = await openRooms(settings)
  if (rooms.observer) emitWarning(rooms.observer.notice, { code: "TASKMINT_OBSERVE" })
  const work = startWork(rooms)
  const telemetry = createTelemetry(rooms)
  let closing: Promise<void> | undefined
  const present = createPresentation(rooms.open, () => closing !== undefined)
  return {
    check: telemetry.watch(createCheck(settings, rooms, present)),
    recognize: createRecognize(settings, rooms, present),
    unmapped: () => rooms.refused(refuse("route_unmapped", "route"), "Bearer", ""),
    declare: rooms.declaration.add,
    metadata: describeResource(settings.issuer, settings.resource),
    ready: () => readinessOf(rooms, work),
    flush: () => work.flush(),
    close() {
      telemetry.close()
      closing ??= work.close().finally(() => rooms.spool.close())
      return closing
    },
  }
}

const NO_PARAMETERS = Object.freeze({})

/** The contract's order: what is cheap and certain first, what the ledger must hold last. */
function createCheck(settings: VerifierSettings, rooms: Rooms, present: ReadPresentation): Verifier["check"] {
  const { issuer, resource: audience, others, clock } = settings
  const { recorder, possession, headersOf, issuerTime, uses } = rooms
  const turnDown = createTurnDown(rooms)
  const judgeTime = (token: TaskToken) => {
    const now = issuerTime.epochSeconds()
    return now instanceof Refusal ? now : judgeToken(token, { issuer, audience, now })
  }
  const judgeNow = (shown: Presentation, operation: string) =>
    judgeTime(shown.token) ?? judgeStanding(rooms, shown, operation)
  const stands = (shown: Presentation, operation: string) => () =>
    rooms.observer?.active() ? undefined : judgeNow(shown, operation)?.code
  const judgeApproved = createJudgeApproved(rooms, judgeNow)
  return async (view, operation, resource, parameters = NO_PARAMETERS, given) => {
    try {
      if (others === "next" && !namesIssuer(view.rawHeaders, view.target, issuer)) return NOT_OURS
      const read = present(view)
      const shown = read instanceof Promise ? await read : read
      if ("refusal" in shown) return turnDown(shown.refusal, { view, operation }, shown.scheme)
      const { token, credential, scheme, headOf } = shown
      const early =
        judgeTime(token) ??
        (token.jkt === undefined && credential.scheme === "Bearer"
          ? undefined
          : await possession.check(token, shown, view)) ??
        judgeStanding(rooms, shown, operation)
      const granted = early ?? judgeUse(token, operation, resource ?? [])
      const { method, route } = view
      let now = clock.now()
      const id = newId("use", now)
      let wrong = granted instanceof Refusal ? granted : undefined
      if (!(granted instanceof Refusal || isFree(granted))) {
        wrong = await judgeApproved(shown, operation, { grant: granted, use: id }, given)
        now = clock.now()
      }
      const asked = { id, now, traceId: activeTraceId(), method, route, operation, resource }
      const recorded = wrong ?? (await recorder.allow(headOf(asked), tailOf(asked)))
      if (recorded instanceof Refusal)
        return turnDown(recorded, { view, operation }, scheme, uses.describe(token, asked, wrong))
      return {
        outcome: "allowed",
        use: checkedValues(token, asked, parameters),
        headers: headersOf(token),
        finished: recorded.finished,
        stands: stands(shown, operation),
      }
    } catch {
      // Whatever failed, the handler must not run; what it was may hold the token, so it is not told.
      return turnDown(refuse("temporarily_unavailable", "fault"), { view, operation })
    }
  }
}

/** What a person approved, and all that was asked before once more when it is there. */
const createJudgeApproved =
  (
    { approved, recorder }: Rooms,
    judgeNow: (shown: Presentation, operation: string) => Refusal | undefined,
  ) =>
  (
    shown: Presentation,
    operation: string,
    of: Pick<BoundUse, "grant" | "use">,
    given: Given | undefined,
  ): Promise<Refusal | undefined> => {
    const { token } = shown
    const still = () => judgeNow(shown, operation) ?? recorder.refusal(token.txn)
    return approved.judge({ token, ...of, still }, given)
  }

const NOT_OURS: NotOurs = Object.freeze({
  outcome: "not_ours",
  observed: false,
  headers: Object.freeze({}),
  finished: () => undefined,
  stands: () => undefined,
})

interface Asked {
  readonly view: RequestView
  readonly operation: string
}

/** What becomes of a refusal: with a genuine token recorded, then answered; in observe mode the request goes on. */
function createTurnDown({ recorder, refused, observer }: Rooms) {
  return (refusal: Refusal, { view, operation }: Asked, scheme: Scheme = "Bearer", use?: UseRecord) => {
    if (observer?.active()) return observer.letThrough(refusal, view, use)
    if (use?.decision === "refused") recorder.refuse(use)
    return refused(refusal, scheme, operation)
  }
}

/** Revoked is certain however old the knowledge is; standing is not. */
function judgeStanding(
  { revocations, catalogue, witness }: Rooms,
  { token, kid }: Presentation,
  operation: string,
) {
  const ended = revocations.judge(token, kid) ?? witness.standing()
  if (ended) return ended
  const age = revocations.age()
  if (age !== undefined && age <= catalogue.stalenessLimit(operation)) return undefined
  return refuse("revocations_stale", age === undefined ? "never_known" : "too_old")
}

const checkedValues = (
  token: TaskToken,
  { id, operation, resource = [] }: AskedUse,
  parameters: TaskUse["parameters"],
): TaskUse => ({
  task: token.txn,
  agent: token.act.agent,
  instance: token.act.instance,
  sub: token.sub,
  orchestrator: token.clientId,
  operation,
  resource,
  parameters,
  useId: id,
})
