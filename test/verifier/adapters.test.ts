// The contract of adapters, on each framework, and what only one of them has.
import { describe } from "vitest"
import { HOSTS } from "../support/hosts.ts"
import { describeAdapter } from "./adapter.contract.ts"

const DIFFERENCES = {
  // Hono knows what its handler made, whether it arrived or not.
  hono: { away: 201, unmapped: ["GET /open"] },
  express: { away: undefined, unmapped: ["GET /open"] },
  fastify: { away: undefined, unmapped: ["GET /open", "HEAD /open"] },
  node: { away: undefined, unmapped: ["GET /open"] },
}

describe.each(HOSTS)("$name", (host) => {
  describeAdapter(host, DIFFERENCES[host.name])
})
