// Signing keys, for operators: which there are and what each waits for, the next one's turn, an emergency, and another
// key-encryption key. It translates and decides nothing.
import { z } from "@hono/zod-openapi"
import { Unexpected } from "../database/database.ts"
import { Refusal, refuse } from "../errors.ts"
import type { KeyView } from "../keys/rotation.ts"
import { toInstant } from "../time.ts"
import { type Endpoint, guarded, json, jsonBody, optionalJsonBody } from "./endpoint.ts"
import { RevocationAnswer, revocationOnWire } from "./revocations.ts"
import type { Rooms } from "./rooms.ts"
import { plain } from "./task-schema.ts"

const instant = z.string().openapi({ format: "date-time" })

const Key = z
  .strictObject({
    kid: z.string().openapi({ description: "RFC 7638 thumbprint" }),
    alg: z.enum(["ES256", "EdDSA"]),
    state: z.enum(["next", "current", "previous", "retired"]).openapi({
      description:
        "next: published, not signing yet; current: signs; previous: published until what it signed has run out; " +
        "retired: not published any more",
    }),
    elsewhere: z.boolean().openapi({ description: "Its private half rests in a KMS or an HSM" }),
    created_at: instant,
    activated_at: instant.optional(),
    first_use_at: instant
      .optional()
      .openapi({ description: "When the first use under it was recorded: the rotation to it is finished" }),
    superseded_at: instant.optional(),
    retired_at: instant.optional(),
    revocation: z.string().optional(),
    waits_for: z
      .strictObject({
        what: z.enum(["publication", "first_use", "last_token"]),
        until: instant.optional().openapi({ description: "When that is over; a use comes when it comes" }),
      })
      .optional(),
  })
  .openapi("SigningKey")

const KeysAnswer = z
  .strictObject({
    keys: z.array(Key),
    next_rotation_at: instant
      .optional()
      .openapi({ description: "When the next key is published by itself; absent while one is" }),
  })
  .openapi("SigningKeys")

const RotateBody = z
  .strictObject({
    emergency: z.boolean().optional().openapi({
      description: "Revokes the current key: what it signed ends, and another one signs at once",
    }),
    reason: plain(1000).optional().openapi({ description: "Of an emergency, which needs one" }),
    ledger: z.literal(true).optional().openapi({
      description: "Instead: the ledger's key. The next checkpoint is signed by both, and hands over",
    }),
  })
  .openapi("RotateKeys")

const RotatedAnswer = z
  .strictObject({
    result: z.enum(["published", "waiting", "activated", "replaced", "ledger"]),
    keys: z.array(Key),
    ledger_key: z.string().optional().openapi({ description: "The ledger's new key, a vkey" }),
    revocation: RevocationAnswer.optional(),
  })
  .openapi("RotatedKeys")

/** In its one spelling, which is also the one that the next start takes. */
const keyEncryptionKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, "32 bytes in base64url")
  .refine((text) => Buffer.from(text, "base64url").toString("base64url") === text, "32 bytes in base64url")
const RewrapBody = z
  .strictObject({ current_key: keyEncryptionKey, new_key: keyEncryptionKey })
  .openapi("RewrapKeys")
const RewrappedAnswer = z.strictObject({ rewrapped: z.int() }).openapi("RewrappedKeys")

export const keyEndpoints = (rooms: Rooms): Endpoint[] => [list(rooms), rotate(rooms), rewrap(rooms)]

const list = ({ rotation }: Rooms): Endpoint =>
  guarded({
    method: "get",
    path: "/keys",
    summary: "The signing keys there have been, and what each waits for",
    group: "keys",
    who: ["operator", "auditor"],
    answers: { 200: { description: "The newest first", schema: KeysAnswer } },
    async run() {
      const next = rotation.nextAt()
      const keys = (await rotation.list()).map(keyOnWire)
      return json(200, { keys, ...at("next_rotation_at", next) })
    },
  })

const rotate = (rooms: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/keys/rotate",
    summary: "Publish the next signing key, let it sign when everybody knows it, or replace one that leaked",
    group: "keys",
    who: ["operator"],
    body: optionalJsonBody(RotateBody),
    answers: { 200: { description: "What was done, and the keys", schema: RotatedAnswer } },
    async run({ body: { emergency, reason, ledger } }, caller) {
      if (ledger) return rotateLedgerKey(rooms, caller.clientId, emergency ?? reason)
      if (emergency) return replace(rooms, caller.clientId, reason)
      const rotated = await rooms.rotation.rotate(caller.clientId)
      if (rotated instanceof Refusal) return rotated
      return json(200, { result: rotated.result, keys: rotated.keys.map(keyOnWire) })
    },
  })

async function rotateLedgerKey(rooms: Rooms, by: string, other: unknown): Promise<Response | Refusal> {
  if (other !== undefined)
    return refuse("invalid_request", "[ledger]", {
      errors: [{ pointer: "/ledger", expected: "no other member beside it" }],
    })
  const key = await rooms.ledgerKeys.rotate(by)
  if (!key)
    return refuse("task_conflict", "[keys] the last one has not handed over", { retryAfterSeconds: 1 })
  await rooms.sequence.advance()
  const keys = (await rooms.rotation.list()).map(keyOnWire)
  return json(200, { result: "ledger", keys, ledger_key: key.vkey })
}

async function replace(rooms: Rooms, by: string, reason: string | undefined): Promise<Response | Refusal> {
  if (reason === undefined)
    return refuse("invalid_request", "[reason]", {
      errors: [{ pointer: "/reason", expected: "why the key is revoked" }],
    })
  const { kid } = rooms.keyring.current()
  const revoked = await rooms.revocations.revoke(by, { kind: "key", value: kid, reason })
  if (revoked instanceof Refusal) return revoked
  const keys = (await rooms.rotation.list()).map(keyOnWire)
  return json(200, { result: "replaced", keys, revocation: revocationOnWire(revoked) })
}

const rewrap = ({ keyring }: Rooms): Endpoint =>
  guarded({
    method: "post",
    path: "/keys/rewrap",
    summary: "Encrypt the stored signing keys with another key-encryption key, needed from the next start on",
    group: "keys",
    who: ["operator"],
    body: jsonBody(RewrapBody),
    answers: { 200: { description: "Every stored key", schema: RewrappedAnswer } },
    async run({ body }, caller) {
      const [from, to] = [Buffer.from(body.current_key, "base64url"), Buffer.from(body.new_key, "base64url")]
      try {
        const rewrapped = await keyring.rewrap(caller.clientId, from, to)
        if (rewrapped === undefined) return refuse("key_encryption_key_wrong", "[key] it opens no stored key")
        return json(200, { rewrapped })
      } catch (error) {
        if (!(error instanceof Unexpected)) throw error
        return refuse("task_conflict", "[keys] they changed meanwhile", { retryAfterSeconds: 1 })
      }
    },
  })

const at = (name: string, milliseconds: number | undefined) =>
  milliseconds === undefined ? {} : { [name]: toInstant(milliseconds) }

const keyOnWire = (key: KeyView) => ({
  kid: key.kid,
  alg: key.alg,
  state: key.state,
  elsewhere: key.elsewhere,
  created_at: toInstant(key.createdAt),
  ...at("activated_at", key.activatedAt),
  ...at("first_use_at", key.firstUseAt),
  ...at("superseded_at", key.supersededAt),
  ...at("retired_at", key.retiredAt),
  ...(key.revocation !== undefined && { revocation: key.revocation }),
  ...(key.waitsFor && { waits_for: { what: key.waitsFor.what, ...at("until", key.waitsFor.until) } }),
})
