// Repeats one request as fast as it is answered, and counts only answers that are right.
import autocannon from "autocannon"
import type { Target } from "./machine.ts"

export interface Load {
  /** Answers with a 2xx status, each second. */
  readonly perSecond: number
  readonly p99Milliseconds: number
}

export interface LoadOptions {
  /** Default 64. */
  readonly connections?: number
  /** Bearer tokens to take in turn instead of the target's own, by all connections together. */
  readonly tokens?: readonly string[]
}

/** Throws when anything but 2xx came back: a fast refusal is no figure. */
export async function load(target: Target, seconds: number, options: LoadOptions = {}): Promise<Load> {
  const { url, method, headers, body } = target
  const { connections = 64, tokens } = options
  const result = await autocannon({
    url,
    method,
    headers,
    ...(body && { body }),
    ...(tokens && { requests: [{ setupRequest: inTurn(tokens) }] }),
    connections,
    duration: seconds,
  })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} answers were not 2xx, ${result.errors} errors`)
  return { perSecond: result.requests.total / result.duration, p99Milliseconds: result.latency.p99 }
}

/** Where the next load goes on: a cache must not find what the last one left. */
let next = 0

function inTurn(tokens: readonly string[]) {
  return (request: autocannon.Request): autocannon.Request => {
    const token = tokens[next++ % tokens.length]
    return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } }
  }
}
