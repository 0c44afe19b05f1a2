// What is recorded of one decision on a genuine token, as a record and as the text that goes to the disk. It decides what a
// batch can carry; whether the request is allowed is decided before.
import { REFUSALS, type Refusal } from "../errors.ts"
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

export interface Uses {
  /** Only what a batch can carry: one malformed member would hold up every use behind it. */
  describe(token: TaskToken, asked: AskedUse, wrong: Refusal | undefined): UseRecord
  /** Of every use of that token the same members, as JSON without what stands around them. */
  membersOf(token: TaskToken): string
  /**
   * JSON, as JSON.stringify writes it, of what `describe` answers for a use that the token grants. Faster, for what tokens and
   * routes bring again and again is written once. `members`: the token's.
   */
  write(members: string, asked: AskedUse): string
}

const METHOD = /^[A-Za-z-]{1,32}$/
const isMethod = (text: string): boolean => METHOD.test(text)
const isRoute = (text: string | undefined): text is string => isText(text, 512)
/** Of each name: hosts' texts, and methods, are few; whoever makes them up is not to fill the memory. */
const MAX_MEMBERS = 1000

/** `api`: the resource URL of the API that decides. */
export function createUses(api: string): Uses {
  const operationOf = createMember("operation", () => true)
  const methodOf = createMember("method", isMethod)
  const routeOf = createMember("route", isRoute)
  return {
    describe: (token, { id, now, traceId, method, route, operation, resource }, wrong) => ({
      id,
      at: toInstant(now),
      task: token.txn,
      jti: token.jti,
      actor: formatHolder(token.act),
      client: token.clientId,
      api,
      operation,
      resource: resource && recordedResource(resource),
      method: isMethod(method) ? method : undefined,
      route: isRoute(route) ? route : undefined,
      decision: wrong ? "refused" : "allowed",
      code: wrong?.code,
      status: wrong && REFUSALS[wrong.code].status,
      trace_id: traceId,
    }),
    membersOf(token) {
      const { txn: task, jti, clientId: client } = token
      return JSON.stringify({ task, jti, actor: formatHolder(token.act), client, api }).slice(1, -1)
    },
    write(members, { id, now, traceId, operation, resource = [], method, route }) {
      // Ids, instants and the segments of a granted resource hold nothing that JSON would escape, and are never cut.
      const before = `{"id":"${id}","at":"${toInstant(now)}",${members}${operationOf(operation)}`
      const request = `,"resource":["${resource.join('","')}"]${methodOf(method)}${routeOf(route)}`
      const trace = traceId === undefined ? "" : `,"trace_id":"${traceId}"`
      return `${before}${request},"decision":"allowed"${trace}}`
    },
  }
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
