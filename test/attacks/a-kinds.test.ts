// Catalogue A24: each kind of text that is signed here is taken where it belongs and nowhere else.
import { describe, expect, test } from "vitest"
import { NoCheckpoint, noteVerifier, openCheckpoint, signCheckpoint } from "../../src/ledger/checkpoint.ts"
import { judgeAssertion, readClientAssertion, signClientAssertion } from "../../src/token/assertion.ts"
import { readUseBatch, type UseBatch } from "../../src/token/batch.ts"
import { Unreadable } from "../../src/token/jwt.ts"
import { openOwnToken, ownTokenClaims } from "../../src/token/own-token.ts"
import { readProof, signProof } from "../../src/token/proof.ts"
import { signSecurityEvent } from "../../src/token/security-event.ts"
import { openServiceToken, serviceTokenClaims, signServiceToken } from "../../src/token/service-token.ts"
import { publicHalf } from "../../src/token/signature.ts"
import { signStatusList } from "../../src/token/status-list.ts"
import { readStatement, signStatement, statementClaims } from "../../src/token/task-statement.ts"
import { signTaskToken } from "../../src/token/token.ts"
import { signBatch } from "../support/batch.ts"
import {
  claims,
  compact,
  DIGEST,
  eddsa,
  es256,
  header,
  ID,
  ISSUER,
  keyOf,
  NOW,
  open,
  tagOf,
  validToken,
} from "../support/forge.ts"

const refused = (text: string) => tagOf(open(text))

describe("kinds", () => {
  const batch: UseBatch = {
    iss: "tickets",
    aud: ISSUER,
    iat: NOW,
    instance: ID.uuid,
    sequence: 1,
    previous: DIGEST,
    cursor: 0,
    applied_at: null,
    checkpoint: null,
    final: false,
    uses: [],
  }
  const service = serviceTokenClaims({
    iss: ISSUER,
    clientId: "tickets",
    jti: ID.tok,
    iat: NOW,
    scope: ["uses"],
  })
  const own = ownTokenClaims({
    ...{ iss: ISSUER, iat: NOW, exp: NOW + 300, jti: ID.tok, clientId: "support", sub: "support" },
    ...{ actors: [{ agent: "bot", instance: "pod-1" }], txn: ID.task, lineage: [], scope: ["task:renew"] },
    ...{ policy: DIGEST, jkt: es256.thumbprint },
  })
  const { text: statement } = statementClaims({ issuer: ISSUER, at: NOW, task: ID.task, statement: {} })
  const noteSigner = { ...noteVerifier("taskmint.example/ledger", publicHalf(eddsa)), sign: eddsa.sign }
  const idToken = { iss: ISSUER, sub: "ana", aud: "tickets", iat: NOW, exp: NOW + 300, nonce: "n" }
  const kinds: Record<string, string> = {
    "task token": validToken(),
    "service token": signServiceToken(service, es256),
    "client assertion": signClientAssertion(
      { clientId: "tickets", issuer: ISSUER, jti: "j1", now: NOW },
      es256,
    ),
    "DPoP proof": signProof({ method: "POST", url: `${ISSUER}/token`, now: NOW }, es256),
    "batch of uses": signBatch(batch, es256),
    "own token": signTaskToken(own, es256),
    "task statement": String(signStatement(statement, es256)),
    "status list": signStatusList(
      { issuer: ISSUER, uri: `${ISSUER}/s`, iat: NOW, bytes: new Uint8Array(8) },
      es256,
    ),
    checkpoint: signCheckpoint({ origin: "taskmint.example/ledger", size: 1, root: new Uint8Array(32) }, [
      noteSigner,
    ]),
    "security event": String(signSecurityEvent(JSON.stringify(claims()), es256)),
    "ID token": compact({ typ: "JWT", alg: "ES256", kid: es256.kid }, idToken),
    "anything without typ": compact({ alg: "ES256", kid: es256.kid }, claims()),
  }
  const sets = [new Map([[es256.kid, publicHalf(es256)]])]
  const readers: Record<string, (text: string) => object> = {
    "task token": open,
    "service token": (text) => openServiceToken(text, keyOf, { issuer: ISSUER, now: NOW }),
    "client assertion": (text) => {
      const read = readClientAssertion(text)
      if (read instanceof Unreadable) return read
      return judgeAssertion(read, { issuer: ISSUER, now: NOW, keySets: sets })
        ? new Unreadable("claims")
        : read
    },
    "DPoP proof": readProof,
    "batch of uses": (text) => readUseBatch(text, publicHalf(es256)),
    "own token": (text) => openOwnToken(text, keyOf, ISSUER),
    "task statement": (text) => readStatement(text, keyOf),
    checkpoint: (text) => {
      const read = openCheckpoint(text, "taskmint.example/ledger", [noteSigner])
      return read instanceof NoCheckpoint ? new Unreadable("format") : read
    },
  }
  const matrix = Object.keys(readers).flatMap((reader) =>
    Object.keys(kinds).map((kind) => [kind, reader] as const),
  )

  test.each(matrix)("A24 %s presented as %s", (kind, reader) => {
    const read = readers[reader]?.(kinds[kind] ?? "")
    expect(tagOf(read ?? {}) === "accepted").toBe(kind === reader)
  })

  test.each([
    "JWT",
    "AT+JWT",
    "at+JWT",
    "application/at+jwt",
    "at+jwt ",
    "dpop+jwt",
    "secevent+jwt",
    "",
    7,
    undefined,
    ["at+jwt"],
  ])("A24 typ %j is not a task token's", (typ) => {
    expect(refused(compact(header({ typ }), claims()))).toBe("typ")
  })
})
