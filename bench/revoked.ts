// What a verifier's memory of revocations takes: 1,000,000 that live, as the feed brings them, and how long one is looked for.
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { newId } from "../src/token/id.ts"
import { createEnded } from "../src/verifier/ended.ts"
import { printMeasures } from "./table.ts"

const COUNT = 1_000_000
const LIMIT_MB = 64
/** Catalogue G07. */
const LOOKUP_LIMIT_MILLISECONDS = 0.005
const LOOKUPS = 200_000

export async function benchRevoked(): Promise<boolean> {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  const held = () => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return (heapUsed + external) / 1e6
  }
  const before = held()
  const ended = createEnded()
  const some: string[] = []
  for (let cursor = 1; cursor <= COUNT; cursor++) {
    const value = newId("tok")
    if (cursor % (COUNT / 1000) === 0) some.push(value)
    ended.remember({ cursor, kind: "token", value, before: cursor, until: 2e9, code: "token_revoked" })
  }
  const megabytes = held() - before
  const p99 = measureLookups((at) => {
    const value = at % 2 === 0 ? some[at % some.length] : newId("tok")
    return () => ended.find("token", value ?? "")
  })
  return printMeasures(`${COUNT} live revocations`, [
    {
      what: "memory, MB",
      figure: megabytes.toFixed(1),
      ratio: LIMIT_MB / megabytes,
      against: `below ${LIMIT_MB} MB`,
      atLeast: 1,
    },
    {
      what: "looked for, one half there, p99",
      figure: `${(p99 * 1000).toFixed(2)} µs`,
      time: { milliseconds: p99, atMost: LOOKUP_LIMIT_MILLISECONDS },
    },
  ])
}

function measureLookups(prepare: (at: number) => () => unknown): number {
  const times = Array.from({ length: LOOKUPS }, (_, at) => {
    const look = prepare(at)
    const start = process.hrtime.bigint()
    look()
    return Number(process.hrtime.bigint() - start) / 1e6
  })
  return times.sort((a, b) => a - b)[Math.floor(LOOKUPS * 0.99)] ?? Number.NaN
}
