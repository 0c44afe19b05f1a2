// What is recorded of one decision on a genuine token, as a record and as the text that goes to the disk. It decides what a
// batch can carry; whether the request is allowed is decided before.
import { REFUSALS, type Refusal } from "../errors.ts"
import { type Clock, toInstant } from "../time.ts"
import { recordedResource, type UseRecord } from "../token/batch.ts"
import { isText } from "../token/claims.ts"
import { newId } from "../token/id.ts"
import { formatHolder } from "../token/name.ts"
import type { TaskToken } from "../token/token.ts"
import { activeTraceId } from "./telemetry.ts"

/** What was asked for. */
export interface AskedUse {
  readonly method: string
  readonly route?: string | undefined
  readonly operation: string
  readonly resource: readonly string[] | undefined
}

export interface Uses {
  /** Only what a batch can carry: one malformed member would hold up every use behind it. */
  describe(token: TaskToken, asked: AskedUse, wrong: Refusal | undefined): UseRecord
  /**
   * JSON, as JSON.stringify writes it, of an allowed use that `describe` made for that token. Faster, for what tokens and
   * routes bring again and again is written once.
   */
  write(token: TaskToken, use: UseRecord): string
}

const METHOD = /^[A-Za-z-]{1,32}$/
/** Texts of hosts, not of clients, so they are few; a host that makes them up is not to fill the memory. */
const MAX_QUOTED = 1000

/** `api`: the resource URL of the API that decides. */
export function createUses({ api, clock }: { readonly api: string; readonly clock: Clock }): Uses {
  const constants = new WeakMap<TaskToken, Constants>()
  const quoted = new Map<string, string>()
  const constantsOf = (token: TaskToken): Constants => {
    const known = constants.get(token)
    if (known) return known
    const actor = formatHolder(token.act)
    const members = { task: token.txn, jti: token.jti, actor, client: token.clientId, api }
    const made = { actor, text: JSON.stringify(members).slice(1, -1) }
    constants.set(token, made)
    return made
  }
  const quote = (text: string): string => {
    const known = quoted.get(text)
    if (known !== undefined) return known
    if (quoted.size >= MAX_QUOTED) quoted.clear()
    const made = JSON.stringify(text)
    quoted.set(text, made)
    return made
  }
  return {
    describe(token, { method, route, operation, resource }, wrong) {
      const now = clock.now()
      return {
        id: newId("use", now),
        at: toInstant(now),
        task: token.txn,
        jti: token.jti,
        actor: constantsOf(token).actor,
        client: token.clientId,
        api,
        operation,
        resource: resource && recordedResource(resource),
        method: METHOD.test(method) ? method : undefined,
        route: isText(route, 512) ? route : undefined,
        decision: wrong ? "refused" : "allowed",
        code: wrong?.code,
        status: wrong && REFUSALS[wrong.code].status,
        trace_id: activeTraceId(),
      }
    },
    write(token, { id, at, operation, resource = [], method, route, trace_id }) {
      const member = (name: string, text: string | undefined) =>
        text === undefined ? "" : `,"${name}":${quote(text)}`
      // Ids, instants and the segments of a granted resource hold nothing that JSON would escape.
      const before = `{"id":"${id}","at":"${at}",${constantsOf(token).text}${member("operation", operation)}`
      const request = `,"resource":["${resource.join('","')}"]${member("method", method)}${member("route", route)}`
      const trace = trace_id === undefined ? "" : `,"trace_id":"${trace_id}"`
      return `${before}${request},"decision":"allowed"${trace}}`
    },
  }
}

interface Constants {
  readonly actor: string
  /** Members of the JSON, without what stands around them. */
  readonly text: string
}
