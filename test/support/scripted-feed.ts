// An issuer whose feed says whatever a test wants, and what of a verifier reads it.
import type { IncomingMessage, ServerResponse } from "node:http"
import { createIssuerCalls, createIssuerStreams } from "../../src/remote/issuer-calls.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import type { Spool } from "../../src/spool/spool.ts"
import type { RevocationItem } from "../../src/token/revocation.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import type { TaskToken } from "../../src/token/token.ts"
import { createIssuerTime } from "../../src/verifier/issuer-time.ts"
import { createRevocations } from "../../src/verifier/revocations.ts"
import { createFakeClock } from "./fake-clock.ts"
import { newFolder, removeFolder } from "./guarded-api.ts"
import { API_PRIVATE_JWK, startIssuerStub } from "./issuer-stub.ts"

const IAT = Math.floor(Date.parse("2026-03-01T09:00:00Z") / 1000)
/** What ITEM ends. */
export const TOKEN: TaskToken = {
  iss: "",
  aud: "https://tickets.internal.example",
  iat: IAT,
  nbf: IAT,
  exp: IAT + 600,
  jti: "tok_1",
  clientId: "support-orchestrator",
  sub: "people/ana@example.com",
  act: { agent: "triage-bot", instance: "pod-1" },
  actors: [{ agent: "triage-bot", instance: "pod-1" }],
  txn: "task_1",
  lineage: [],
  scope: ["tickets:read"],
  grants: [],
  policy: "",
}
const ITEM: RevocationItem = {
  cursor: 1,
  kind: "task",
  value: "task_1",
  before: IAT,
  until: IAT + 600,
  code: "token_revoked",
}
/** One event of the stream; `id` where it is not the cursor. */
export const event = (changes: Partial<Record<keyof RevocationItem, unknown>> = {}, id?: string) => {
  const item = { ...ITEM, ...changes }
  return `id: ${id ?? item.cursor}\ndata: ${JSON.stringify(item)}\n\n`
}

export type ScriptedFeed = Awaited<ReturnType<typeof openScriptedFeed>>

export async function openScriptedFeed() {
  const clock = createFakeClock()
  const stub = await startIssuerStub(clock)
  const folder = newFolder()
  const asked: string[] = []
  const open: ServerResponse[] = []
  const issuerTime = createIssuerTime(clock)
  return {
    clock,
    stub,
    folder,
    /** What `/revocations` was asked: the type that was wanted, and the address. */
    asked,
    /** The streams that were not ended here. */
    open,
    /** What the feed told of the issuer's clock. */
    issuerTime,
    /** From now on every request for a stream gets this text, after `meanwhile`; it is left open unless `end`. */
    streamOf(text: string, end = false, meanwhile: () => void = () => undefined) {
      stub.overrides.set("/revocations", (request: IncomingMessage) => {
        asked.push(`${request.headers.accept} ${request.url}`)
        if (request.headers.accept !== "text/event-stream") return undefined
        return (response) => {
          meanwhile()
          response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
          response.write(text)
          if (end) response.end()
          else open.push(response)
        }
      })
    },
    say: (text: string | Uint8Array) => open.at(-1)?.write(text),
    openRevocations(spool: Spool) {
      const tokens = createServiceTokens({
        issuer: stub.issuer,
        credential: { clientId: "tickets", privateJwk: API_PRIVATE_JWK },
        proofKey: importSigningKey(generatePrivateJwk("ES256")),
        clock,
      })
      const calls = createIssuerCalls(stub.issuer, stub.issuer, tokens)
      const streams = createIssuerStreams(stub.issuer, stub.issuer, tokens)
      return createRevocations({ calls, streams, spool, clock, issuerTime, succeeded: () => undefined })
    },
    async close() {
      await stub.close()
      removeFolder(folder)
    },
  }
}
