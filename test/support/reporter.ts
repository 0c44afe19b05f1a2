// A verifier instance as the issuer sees it: batches of uses that it signs, one after the other, with what it has applied of
// the feed. Its uses are written by the test.
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import { batchDigest, type UseBatch, type UseRecord } from "../../src/token/batch.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import { signBatch } from "./batch.ts"
import { type House, ISSUER, TICKETS } from "./issuer-house.ts"

export interface ReportedToken {
  readonly task: string
  readonly jti: string
  readonly actor: string
}

/** Of an answer with a token for the tickets API. */
export function reportedToken(accessToken: string): ReportedToken {
  const claims = JSON.parse(Buffer.from(accessToken.split(".")[1] ?? "", "base64url").toString("utf8"))
  return { task: claims.txn, jti: claims.jti, actor: claims.act.sub }
}

export interface TestReporter {
  readonly instance: string
  use(token: ReportedToken, change?: Partial<UseRecord>): UseRecord
  /** Sends the next batch; throws where it is not taken. */
  report(uses?: readonly UseRecord[], change?: Partial<UseBatch>): Promise<void>
}

export function createReporter(house: House): TestReporter {
  const instance = newUuid()
  let sequence = 0
  let previous: string | null = null
  return {
    instance,
    use: (token, change = {}) => ({
      id: newId("use", house.clock.now()),
      at: toInstant(house.clock.now()),
      ...token,
      client: "support-orchestrator",
      api: TICKETS,
      operation: "tickets:read",
      resource: ["tickets", "SUP-1042"],
      decision: "allowed",
      ...change,
    }),
    async report(uses = [], change = {}) {
      const told = await house.ask("GET", "/revocations?after=0", { as: "tickets" })
      sequence += 1
      const batch = signBatch(
        {
          iss: "tickets",
          aud: ISSUER,
          iat: toEpochSeconds(house.clock.now()),
          instance,
          sequence,
          previous,
          cursor: Number(told.body.cursor),
          applied_at: toInstant(house.clock.now()),
          checkpoint: null,
          final: false,
          uses,
          ...change,
        },
        house.proofKeyOf("tickets"),
      )
      previous = batchDigest(batch)
      const headers = { "content-type": "application/jwt" }
      const { status, body } = await house.ask("POST", "/uses", { as: "tickets", headers, body: batch })
      if (status !== 200) throw new Error(`the batch was not taken: ${JSON.stringify(body)}`)
    },
  }
}
