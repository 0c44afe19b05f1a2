// A batch of uses as a verifier signs it, from its uses as values.

import { joinOutcome, type NewBatch, type Taking } from "../../src/spool/batch-row.ts"
import { readGroup, type StoredUse, splitUses, type UseGroup } from "../../src/spool/group-row.ts"
import { toEpochSeconds, toInstant } from "../../src/time.ts"
import {
  type BatchFrame,
  batchDigest,
  envelopeOf,
  signUseBatch,
  type UseBatch,
  type UseRecord,
} from "../../src/token/batch.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import type { SigningKey } from "../../src/token/signature.ts"

/** A use as the support policy's agent makes it, at that moment (epoch milliseconds): of nobody's task and token, unless told. */
export const useRecord = (now: number, changes: Partial<UseRecord> = {}): UseRecord => ({
  id: newId("use", now),
  at: toInstant(now),
  task: newId("task", now),
  jti: newId("tok", now),
  actor: "triage-bot/pod-1",
  client: "support-orchestrator",
  api: "https://tickets.internal.example",
  operation: "tickets:read",
  resource: ["tickets", "SUP-1042"],
  decision: "allowed",
  ...changes,
})

/** The first batch of a verifier instance of its own, unless told. */
export const useBatch = (
  now: number,
  { uses, ...changes }: Partial<UseBatch> & Pick<UseBatch, "uses">,
): UseBatch => ({
  iss: "tickets",
  aud: "https://taskmint.internal",
  iat: toEpochSeconds(now),
  instance: newUuid(now),
  sequence: 1,
  previous: null,
  cursor: 0,
  applied_at: null,
  checkpoint: null,
  final: false,
  ...changes,
  uses,
})

export const signBatch = (batch: UseBatch, key: SigningKey): string =>
  Buffer.from(
    signUseBatch(
      batch,
      batch.uses.map((use) => JSON.stringify(use)),
      key,
    ),
  ).toString("latin1")

/** The body of a call as the text that it is. */
export const textOf = (body: string | Uint8Array = ""): string =>
  typeof body === "string" ? body : Buffer.from(body).toString("latin1")

/** A batch of these uses as the spool takes it, really signed; each of them has an outcome. */
export function newBatch(sequence: number, uses: readonly StoredUse[], key: SigningKey): NewBatch {
  const outcomes = uses.map(({ seq }) => `,"status":${200 + (seq % 300)}`)
  const frame: BatchFrame = {
    iss: "tickets",
    aud: "https://taskmint.internal",
    iat: 0,
    instance: "01923456-789a-7bcd-8ef0-123456789abc",
    sequence,
    previous: null,
    cursor: 0,
    applied_at: null,
    checkpoint: null,
    final: false,
  }
  const texts = uses.map((use, at) => joinOutcome(use.head.text + use.tail, outcomes[at] ?? ""))
  const bytes = signUseBatch(frame, texts, key)
  return {
    sequence,
    bytes,
    digest: batchDigest(bytes),
    first: uses[0]?.seq ?? 0,
    shares: new Map([["task_1", 7]]),
    envelope: envelopeOf(frame, bytes),
    outcomes,
  }
}

/** What a batch takes of these groups when it takes those uses, and the uses in its order. */
export function takingOf(from: readonly UseGroup[], isTaken: (use: StoredUse) => boolean) {
  const touched = from.filter((group) => readGroup(group).some(isTaken))
  const split = touched.filter((group) => !readGroup(group).every(isTaken))
  const runs = split.flatMap((group) => splitUses(readGroup(group), isTaken))
  const whole = touched.filter((group) => !split.includes(group))
  const groups = [...whole, ...runs.flatMap((run) => (run.is ? [run.group] : []))].sort(
    (a, b) => a.first - b.first,
  )
  const uses = groups.flatMap(readGroup)
  const taking: Taking = {
    groups,
    split,
    pieces: runs.map((run) => run.group),
    highest: uses.at(-1)?.seq ?? 0,
  }
  return { taking, uses }
}
