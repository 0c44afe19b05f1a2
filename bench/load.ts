// Repeats one request as fast as it is answered, and counts only answers that are right.
import autocannon from "autocannon"
import type { Target } from "./machine.ts"

export interface Load {
  /** Answers with a 2xx status, each second. */
  readonly perSecond: number
  readonly p99Milliseconds: number
}

/** Throws when anything but 2xx came back: a fast refusal is no figure. */
export async function load(target: Target, seconds: number, connections = 64): Promise<Load> {
  const { url, method, headers, body } = target
  const result = await autocannon({
    url,
    method,
    headers,
    ...(body && { body }),
    connections,
    duration: seconds,
  })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} answers were not 2xx, ${result.errors} errors`)
  return { perSecond: result.requests.total / result.duration, p99Milliseconds: result.latency.p99 }
}
