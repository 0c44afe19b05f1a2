// Verifiers on one shared spool, as a host's processes hold them: what each of them promises alone, it promises with others.
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { createFakeClock } from "../support/fake-clock.ts"
import { newFolder, optionsOf, removeFolder } from "../support/guarded-api.ts"
import { API, type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"

const clock = createFakeClock()
const key = importSigningKey(generatePrivateJwk("ES256"))
let stub: IssuerStub
let folder: string
const verifiers: Verifier[] = []
beforeEach(async () => {
  stub = await startIssuerStub(clock)
  folder = newFolder()
})
afterEach(async () => {
  await Promise.all(verifiers.splice(0).map((one) => one.close()))
  await stub.close()
  removeFolder(folder)
})

const start = async (more: Partial<VerifierOptions> = {}) => {
  const path = join(folder, "uses.db")
  const verifier = await createVerifier({
    ...optionsOf(stub.issuer, path, { clock, ...more }),
    spool: { path, shared: true },
  })
  verifiers.push(verifier)
  await vi.waitFor(() => expect(verifier.ready()).toEqual({ ready: true, reasons: [] }), 10_000)
  return verifier
}
const ask = async (verifier: Verifier, authorization: string, dpop?: string) => {
  const rawHeaders = ["Authorization", authorization, ...(dpop === undefined ? [] : ["DPoP", dpop])]
  const view = { method: "GET", target: "/tickets/SUP-1042", rawHeaders }
  const decision = await verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])
  if (decision.outcome === "allowed") decision.finished(200)
  return decision
}

test("what one flushes is acknowledged, though another sends it", async () => {
  const [, second] = [await start(), await start()]
  for (let count = 0; count < 20; count++)
    expect(await ask(second, `Bearer ${stub.mint()}`)).toMatchObject({ outcome: "allowed" })
  await second.flush()
  expect(stub.uses()).toHaveLength(20)
})

test("F10 a nonce of one is good at the other, and the proof that names it passes at one of them", async () => {
  const [first, second] = [await start({ dpopNonces: true }), await start({ dpopNonces: true })]
  const token = stub.mint({ jkt: key.thumbprint })
  const prove = (nonce?: string) => {
    const now = Math.floor(clock.now() / 1000)
    const url = `${API}/tickets/SUP-1042`
    return signProof({ method: "GET", url, accessToken: token, now, ...(nonce && { nonce }) }, key)
  }
  const asked = await ask(first, `DPoP ${token}`, prove())
  expect(asked).toMatchObject({ outcome: "refused", code: "proof_nonce_wanted" })
  const nonce = asked.outcome === "refused" ? asked.answer.headers["DPoP-Nonce"] : undefined
  const proof = prove(nonce)
  expect(await ask(second, `DPoP ${token}`, proof)).toMatchObject({ outcome: "allowed" })
  expect(await ask(first, `DPoP ${token}`, proof)).toMatchObject({
    outcome: "refused",
    code: "proof_invalid",
  })
})

test("what one has learnt of revocations, the next knows from its start, without the issuer", async () => {
  const first = await start()
  const ended = stub.mint()
  const { jti } = JSON.parse(Buffer.from(ended.split(".")[1] ?? "", "base64url").toString())
  stub.revoke({ kind: "token", value: jti })
  const code = async (verifier: Verifier) => {
    const decision = await ask(verifier, `Bearer ${ended}`)
    return decision.outcome === "refused" ? decision.code : decision.outcome
  }
  await vi.waitFor(async () => expect(await code(first)).toBe("token_revoked"), 10_000)
  stub.setDown(true)
  const path = join(folder, "uses.db")
  const second = await createVerifier({
    ...optionsOf(stub.issuer, path, { clock }),
    spool: { path, shared: true },
  })
  verifiers.push(second)
  expect(second.ready().ready).toBe(true)
  expect(await code(second)).toBe("token_revoked")
})
