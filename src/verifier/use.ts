// What is recorded of one decision on a genuine token, as a record and as the text that goes to the disk. It decides what a
// batch can carry; whether the request is allowed is decided before.
import { REFUSALS, type Refusal } from "../errors.ts"
import type { UseHead } from "../spool/group-row.ts"
import { toInstant } from "../time.ts"
import { recordedResource, type UseRecord } from "../token/batch.ts"
import { isText } from "../token/claims.ts"
import { formatHolder } from "../token/name.ts"
import type { TaskToken } from "../token/token.ts"

/** What was asked for, and when it was decided. */
export interface AskedUse {
  readonly id: string
  /** Epoch milliseconds. */
  readonly now: number
  /** Of the trace that the request belongs to. */
  readonly traceId?: string | undefined
  readonly method: string
  readonly route?: string | undefined
  readonly operation: string
  readonly resource: readonly string[] | undefined
}

/** What allowed uses of one token have in common where operation, method and route are the same: the same object then. */
export type HeadOf = (asked: Pick<AskedUse, "operation" | "method" | "route">) => UseHead

export interface Uses {
  /** Only what a batch can carry: one malformed member would hold up every use behind it. */
  describe(token: TaskToken, asked: AskedUse, wrong: Refusal | undefined): UseRecord
  /**
   * Heads that make with `tailOf` what JSON.stringify writes of what `describe` answers for uses that the token grants. Faster,
   * for what tokens and routes bring again and again is written once.
   */
  headsOf(token: TaskToken): HeadOf
}

const METHOD = /^[A-Za-z-]{1,32}$/
const isMethod = (text: string): boolean => METHOD.test(text)
const isRoute = (text: string | undefined): text is string => isText(text, 512)
/** Of each name: hosts' texts, and methods, are few; whoever makes them up is not to fill the memory. */
const MAX_MEMBERS = 1000

/** Of each token: agents call few routes, again and again. */
const MAX_HEADS = 8

/** `api`: the resource URL of the API that decides. */
export function createUses(api: string): Uses {
  const operationOf = createMember("operation", () => true)
  const methodOf = createMember("method", isMethod)
  const routeOf = createMember("route", isRoute)
  return {
    describe: (token, { id, now, traceId, method, route, operation, resource }, wrong) => ({
      ...membersOf(token, api),
      operation,
      method: isMethod(method) ? method : undefined,
      route: isRoute(route) ? route : undefined,
      decision: wrong ? "refused" : "allowed",
      id,
      at: toInstant(now),
      resource: resource && recordedResource(resource),
      code: wrong?.code,
      status: wrong && REFUSALS[wrong.code].status,
      trace_id: traceId,
    }),
    headsOf(token) {
      const members = JSON.stringify(membersOf(token, api)).slice(0, -1)
      // Out of that text: as a part of the token's claims it would keep all of those for as long as it waits to be shipped.
      const task = members.slice(TASK_AT, TASK_AT + token.txn.length)
      const heads: (Parameters<HeadOf>[0] & { readonly head: UseHead })[] = []
      return ({ operation, method, route }) => {
        for (const one of heads)
          if (one.operation === operation && one.method === method && one.route === route) return one.head
        const request = `${operationOf(operation)}${methodOf(method)}${routeOf(route)}`
        const head = { task, text: `${members}${request},"decision":"allowed"` }
        if (heads.length === MAX_HEADS) heads.length = 0
        heads.push({ operation, method, route, head })
        return head
      }
    },
  }
}

/** Where the task stands in the JSON of `membersOf`: an id holds nothing that JSON would escape. */
const TASK_AT = '{"task":"'.length

const membersOf = (token: TaskToken, api: string) => ({
  task: token.txn,
  jti: token.jti,
  actor: formatHolder(token.act),
  client: token.clientId,
  api,
})

/** Ids and instants hold nothing that JSON would escape; a segment may, and what is granted is never cut. */
export function tailOf({ id, now, traceId, resource = [] }: AskedUse): string {
  const trace = traceId === undefined ? "" : `,"trace_id":"${traceId}"`
  return `,"id":"${id}","at":"${toInstant(now)}","resource":${JSON.stringify(resource)}${trace}}`
}

/** Writes a member of JSON behind others; nothing where there is no value, or none that fits. */
function createMember(name: string, fits: (text: string) => boolean) {
  const written = new Map<string, string>()
  return (text: string | undefined): string => {
    if (text === undefined) return ""
    const known = written.get(text)
    if (known !== undefined) return known
    if (!fits(text)) return "" // and kept nowhere: a client may have chosen it
    if (written.size >= MAX_MEMBERS) written.clear()
    const made = `,"${name}":${JSON.stringify(text)}`
    written.set(text, made)
    return made
  }
}
