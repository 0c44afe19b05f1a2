// What a verifier forgets beside requests, on a real spool: a proof not before no clock would take it again, an order not
// before an hour after the last token that it ended.
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Refusal } from "../../src/errors.ts"
import { createMemorySpool } from "../../src/spool/memory-spool.ts"
import { openSpool, type Spool } from "../../src/spool/spool.ts"
import { accessTokenHash } from "../../src/token/proof.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { generatePrivateJwk, importSigningKey, type SigningKey } from "../../src/token/signature.ts"
import type { TaskToken } from "../../src/token/token.ts"
import { createIssuerTime } from "../../src/verifier/issuer-time.ts"
import { createNonces } from "../../src/verifier/nonce.ts"
import { createPossession } from "../../src/verifier/possession.ts"
import { createRevocations } from "../../src/verifier/revocations.ts"
import { sweep } from "../../src/verifier/work.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { compact } from "../support/forge.ts"
import { newFolder, removeFolder } from "../support/guarded-api.ts"
import { API } from "../support/issuer-stub.ts"

let folder: string
let spool: Spool
let clock: ReturnType<typeof createFakeClock>
beforeEach(async () => {
  folder = newFolder()
  spool = await openSpool(join(folder, "uses.db"))
  // A minute begins: what is decided by whole minutes lasts as long as it can.
  clock = createFakeClock(Date.parse("2026-03-01T09:00:00.000Z"))
})
afterEach(async () => {
  await spool.close()
  removeFolder(folder)
})

const seconds = () => clock.now() / 1000
const [key, other] = [1, 2].map(() => importSigningKey(generatePrivateJwk("ES256"))) as [
  SigningKey,
  SigningKey,
]
const ACCESS = "a-token"
const base: TaskToken = {
  iss: "https://taskmint.internal",
  aud: API,
  iat: 0,
  nbf: 0,
  exp: 0,
  jti: "tok_1",
  clientId: "support-orchestrator",
  sub: "support-orchestrator",
  act: { agent: "triage-bot", instance: "pod-1" },
  actors: [{ agent: "triage-bot", instance: "pod-1" }],
  txn: "task_1",
  lineage: [],
  scope: ["tickets:read"],
  grants: [],
  policy: "",
}
const codeOf = (found: Refusal | undefined) => found?.code ?? "stands"

function proofOf(by: SigningKey, claims: object): string {
  const { kty, crv, x, y } = by.publicJwk
  const payload = { jti: "one", htm: "GET", htu: `${API}/t`, ath: accessTokenHash(ACCESS), ...claims }
  return compact({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } }, payload, by)
}

describe("a proof", () => {
  const open = (on: Pick<Spool, "claimProof">, nonces?: ReturnType<typeof createNonces>) => {
    const possession = createPossession({ origin: API, spool: on, clock, nonces })
    return async (proof: string, by = key) => {
      const presented = { credential: { scheme: "DPoP" as const, token: ACCESS }, proof }
      const token = { ...base, jkt: by.thumbprint }
      const found = await possession.check(token, presented, { method: "GET", target: "/t" })
      return found ? `${found.code} ${found.reason}` : "taken"
    }
  }
  const swept = () =>
    sweep({ revocations: { forget: () => 0 }, spool, clock, issuerTime: createIssuerTime(clock) })

  test.each([
    ["31 seconds later", "of now", 0, 31],
    ["at its last second", "of now", 0, 60],
    ["at the last second of one that was made ahead", "made ahead", 10, 70],
  ])("F07 is refused again after a sweep %s", async (_when, _what, ahead, later) => {
    const check = open(spool)
    const proof = proofOf(key, { iat: seconds() + ahead })
    expect(await check(proof)).toBe("taken")
    clock.advance(later * 1000)
    await swept()
    expect(await check(proof)).toBe("proof_invalid replayed")
  })

  test.each([31, 119])(
    "F07 with a nonce it is refused again after a sweep %d seconds later",
    async (later) => {
      const nonces = createNonces(clock)
      const check = open(spool, nonces)
      const proof = proofOf(key, { iat: 0, nonce: nonces.current() })
      expect(await check(proof)).toBe("taken")
      clock.advance(later * 1000)
      await swept()
      expect(await check(proof)).toBe("proof_invalid replayed")
    },
  )

  test.each([
    ["on disk", () => spool],
    ["in memory", () => createMemorySpool()],
  ])("F08 of two keys that chose the same id is two proofs (%s)", async (_where, on) => {
    const check = open(on())
    const iat = seconds()
    expect(await check(proofOf(key, { iat }))).toBe("taken")
    expect(await check(proofOf(other, { iat }), other)).toBe("taken")
    expect(await check(proofOf(other, { iat }), other)).toBe("proof_invalid replayed")
  })
})

describe("an order that ended tokens until 09:00", () => {
  const ended = () => ({ ...base, iat: seconds() - 600, exp: seconds() })
  const fresh = () => ({ ...base, jti: "tok_2", txn: "task_2", iat: seconds() - 600, exp: seconds() })
  async function openRevocations() {
    const item: RevocationItem = {
      cursor: 1,
      kind: "task",
      value: "task_1",
      before: seconds() - 600,
      until: seconds(),
      code: "task_ended",
    }
    const issuerTime = createIssuerTime(clock)
    const revocations = createRevocations({
      calls: async ({ path }) => {
        const text = JSON.stringify({ items: path.endsWith("=0") ? [item] : [], cursor: 1 })
        return { status: 200, headers: new Headers(), text }
      },
      streams: () => Promise.reject(new Error("not followed")),
      spool,
      clock,
      issuerTime,
      succeeded: () => undefined,
    })
    await revocations.poll()
    return { revocations, swept: () => sweep({ revocations, spool, clock, issuerTime }) }
  }

  test.each([
    ["at 09:00", 0, "task_ended", "stands", 1],
    ["at 09:59", 3599, "task_ended", "stands", 1],
    ["an hour and a second later", 3601, "token_expired", "token_expired", 0],
  ])("G09 swept %s", async (_when, later, ofEnded, ofFresh, kept) => {
    const { revocations, swept } = await openRevocations()
    const [one, two] = [ended(), fresh()]
    clock.advance(later * 1000)
    await swept()
    expect([codeOf(revocations.judge(one, "k")), codeOf(revocations.judge(two, "k"))]).toEqual([
      ofEnded,
      ofFresh,
    ])
    await spool.close()
    spool = await openSpool(join(folder, "uses.db"))
    expect([...spool.revocations()]).toHaveLength(kept)
  })
})
