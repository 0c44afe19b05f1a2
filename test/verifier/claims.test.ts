// What the issuer answers when it is asked for the one use of a token: only a clear yes is one, and a no is told as it is.
import { expect, test } from "vitest"
import { createApprovedUses } from "../../src/verifier/approved.ts"
import { ID, input } from "../support/forge.ts"

async function judged(answer: object) {
  const text = JSON.stringify(answer)
  const { judge } = createApprovedUses(async () => ({ status: 200, headers: new Headers(), text }))
  const { iss, aud, iat, exp, clientId, sub, actors, txn, grants, policy } = input()
  const [[grant], [act]] = [grants, actors]
  if (!grant || !act) throw new Error("no grant, or nobody")
  const said = { iss, aud, iat, exp, clientId, sub, actors, txn, grants, policy }
  const token = { ...said, act, nbf: iat, jti: ID.tok, lineage: [], scope: [] }
  const bound = { token, grant: { ...grant, once: true as const }, use: ID.use, still: () => undefined }
  return (await judge(bound, undefined))?.code
}

test.each(["token_used", "token_revoked", "task_paused", "task_ended"])(
  "B22 a no that says %s",
  async (code) => {
    expect(await judged({ claimed: false, code })).toBe(code)
  },
)

test.each([
  ["a yes", { claimed: true }, undefined],
  ["a no without a reason", { claimed: false }, "temporarily_unavailable"],
  ["a no for a reason of the future", { claimed: false, code: "moon_full" }, "temporarily_unavailable"],
  [
    "a reason that is not the issuer's to give",
    { claimed: false, code: "token_expired" },
    "temporarily_unavailable",
  ],
  ["a reason alone", { code: "token_used" }, "temporarily_unavailable"],
  ["nearly a yes", { claimed: "true" }, "temporarily_unavailable"],
])("B22 %s", async (_what, answer, code) => {
  expect(await judged(answer)).toBe(code)
})
