// Every refusal of the contract's table, as an adapter's host sends it: status, headers, body, and that no handler runs.
import { describe, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { bearer, grantsFor, type HostedApi, METADATA } from "../support/hosted-api.ts"
import type { Host } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"

const LINE = "GET /tickets/42"
const key = importSigningKey(generatePrivateJwk("ES256"))

export function describeRefusals(
  api: () => HostedApi,
  { name }: { readonly name: Host["name"] | "mcp" },
): void {
  // The sidecar's own router refuses what could be cut in two, before there is a resource.
  const [escaped, plain] = name === "sidecar" ? ["%20", " "] : ["%2F", "/"]
  const prove = (token: string, path: string, method = "GET") =>
    signProof({ method, url: `${API}${path}`, accessToken: token, now: api().seconds() }, key)

  describe("a refusal", () => {
    const CHALLENGES = {
      bare: `Bearer ${METADATA}`,
      token: `Bearer error="invalid_token", ${METADATA}`,
      scope: `Bearer error="insufficient_scope", scope="tickets:read", ${METADATA}`,
      request: `Bearer error="invalid_request", ${METADATA}`,
      bound: `DPoP error="invalid_token", algs="ES256 EdDSA", ${METADATA}`,
      proof: `DPoP error="invalid_dpop_proof", algs="ES256 EdDSA", ${METADATA}`,
    }
    const bound = (proof?: (token: string) => string) => {
      const token = api().mint({ jkt: key.thumbprint })
      return [`Authorization: DPoP ${token}`, ...(proof ? [`DPoP: ${proof(token)}`] : [])]
    }
    const ENDS = ["token_revoked", "task_paused", "task_ended"] as const
    type End = (typeof ENDS)[number]
    /** A task ended in each way; they are told in one answer of the feed, and waited for once. */
    let ended: Promise<ReadonlyMap<End, string>> | undefined
    const endAll = async () => {
      const tasks = new Map(ENDS.map((code) => [code, newId("task")]))
      for (const [code, value] of tasks) api().stub.revoke({ kind: "task", value, code })
      for (const [code, txn] of tasks)
        await vi.waitFor(async () => {
          const { json } = await api().send(LINE, bearer(api().mint({ txn })))
          expect(json()).toMatchObject({ code })
        }, 10_000)
      api().seen.handled.length = 0
      return tasks
    }
    const revoked = async (code: End) => {
      ended ??= endAll()
      const txn = (await ended).get(code)
      return [bearer(api().mint({ ...(txn !== undefined && { txn }) }))]
    }
    type Case = [
      string,
      string,
      () => string[] | Promise<string[]>,
      number,
      keyof typeof CHALLENGES,
      string,
      string,
    ]
    const CASES: Case[] = [
      ["no token", LINE, () => [], 401, "bare", "token_missing", "stop"],
      ["junk", LINE, () => [bearer("junk")], 401, "token", "token_invalid", "stop"],
      ["a forged token", LINE, () => [bearer(api().mint({}, key))], 401, "token", "token_invalid", "stop"],
      ["another API's token", LINE, () => [bearer(ofOther())], 401, "token", "token_invalid", "stop"],
      ["an expired token", LINE, () => [bearer(timed(-600, -6))], 401, "token", "token_expired", "renew"],
      ["a token of the future", LINE, () => [bearer(timed(6, 600))], 401, "token", "token_invalid", "stop"],
      ["a revoked token", LINE, () => revoked("token_revoked"), 401, "token", "token_revoked", "stop"],
      ["a paused task", LINE, () => revoked("task_paused"), 401, "token", "task_paused", "wait"],
      ["an ended task", LINE, () => revoked("task_ended"), 401, "token", "task_ended", "stop"],
      [
        "another operation",
        LINE,
        () => [bearer(only("tickets:close"))],
        403,
        "scope",
        "operation_not_granted",
        "stop",
      ],
      [
        "another resource",
        "GET /tickets/43",
        () => [bearer(api().mint())],
        403,
        "scope",
        "resource_not_granted",
        "stop",
      ],
      [
        "what is not data",
        `GET /tickets/42${escaped}..`,
        () => [bearer(api().mint())],
        403,
        "scope",
        "segment_invalid",
        "stop",
      ],
      ["no proof", LINE, () => bound(), 401, "proof", "proof_invalid", "renew"],
      [
        "a wrong proof",
        LINE,
        () => bound((t) => prove(t, "/tickets/42", "POST")),
        401,
        "proof",
        "proof_invalid",
        "renew",
      ],
      [
        "a bound token as Bearer",
        LINE,
        () => [bearer(api().mint({ jkt: key.thumbprint }))],
        401,
        "bound",
        "token_invalid",
        "stop",
      ],
      [
        "two headers",
        LINE,
        () => [bearer(api().mint()), bearer(api().mint())],
        400,
        "request",
        "credential_ambiguous",
        "stop",
      ],
      [
        "a second of another kind",
        LINE,
        () => [bearer(api().mint()), "authorization: Basic x"],
        400,
        "request",
        "credential_ambiguous",
        "stop",
      ],
      [
        "a token in the query",
        `${LINE}?access_token=x`,
        () => [bearer(api().mint())],
        400,
        "request",
        "credential_ambiguous",
        "stop",
      ],
    ]
    const ofOther = () =>
      api().mint({ aud: "https://other.example", grants: grantsFor("https://other.example", ["other:read"]) })
    const timed = (from: number, to: number) =>
      api().mint({ iat: api().seconds() + from, exp: api().seconds() + to })
    const only = (operation: string) => api().mint({ grants: grantsFor(API, [operation]) })

    test.each(CASES)("of %s is the contract's answer, whole, and no handler runs", async (...row) => {
      const [, line, headers, status, challenge, code, next] = row
      const answer = await api().send(line, ...(await headers()))
      expect([answer.status, answer.header("www-authenticate")]).toEqual([status, CHALLENGES[challenge]])
      expect(answer.header("content-type")).toBe("application/problem+json")
      expect(answer.header("cache-control")).toBe("no-store")
      expect(answer.header("vary")).toBe("Authorization, DPoP")
      expect(answer.json()).toMatchObject({ type: "about:blank", status, code, next })
      expect(api().seen.handled).toEqual([])
    })

    test("of a genuine token is recorded with its code; of junk it is not", async () => {
      const [task, stranger] = [newId("task"), newId("task")]
      await api().send(`GET /tickets/43${escaped}x`, bearer(api().mint({ txn: task })))
      await api().send(LINE, bearer(api().mint({ txn: stranger }, key)))
      expect(await api().usesOf(stranger)).toEqual([])
      const use = {
        decision: "refused",
        code: "segment_invalid",
        status: 403,
        resource: ["tickets", `43${plain}x`],
      }
      expect(await api().usesOf(task)).toMatchObject([use])
    })

    test("answers HEAD without a body", async () => {
      const { status, text } = await api().send("HEAD /tickets/42")
      expect([status, text.split("\r\n\r\n")[1]]).toEqual([401, ""])
    })
  })
}
