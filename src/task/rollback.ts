// Going on after a rollback, by an operator's explicit word: the log that was stopped is left as it is and another begins.
// It decides what ends with the one that was lost: every task, every token, also those this database knows nothing of,
// every key, and the cursors of the feed. Whether a log was stopped, ledger/sequence.ts and witness.ts decide.
import type { Step } from "../database/database.ts"
import { Refusal } from "../errors.ts"
import { newLedgerKeySteps } from "../keys/ledger-key.ts"
import { planReplacingAll } from "../keys/replacement.ts"
import type { Json } from "../ledger/event.ts"
import { leftBefore } from "../ledger/left.ts"
import {
  beginTree,
  entriesEnd,
  forgetCheckpoints,
  forgetNodes,
  newestCheckpoint,
  readTree,
  type TreeRow,
} from "../ledger/tree-statements.ts"
import { toEpochSeconds, toInstant } from "../time.ts"
import { newId } from "../token/id.ts"
import { commitDecision } from "./commit.ts"
import { endIfOpen, isOpen } from "./finish.ts"
import { KEY_REVOKED_SECONDS } from "./key-order.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"
import { endCovered, feedKey, insertRevocation } from "./revocation-statements.ts"
import { feedWholeApi, noOpenTask, openTasks } from "./rollback-statements.ts"
import { taskById } from "./statements.ts"
import { tellCovered } from "./status-statements.ts"

const BY = "accept-rollback"
const REASON = "the ledger was rolled back"
const AT_ONCE = 200
/**
 * The feed goes on at so many cursors for each second since 1970: above any that was ever told, unless more items than
 * this were written in each second since.
 */
const CURSORS_PER_SECOND = 100_000

/**
 * Of a log that was stopped; answers the origin of the new one. The tasks end first, each in a transaction of its own, and
 * everything else happens in one: whoever is killed before that finds the log stopped, and begins again. Who works with
 * `options` has to be opened anew afterwards. `key_signer_missing`; throws Unavailable.
 */
export async function acceptRollback(options: TaskOptions): Promise<string | Refusal> {
  const parts = assembleParts(options)
  return commitDecision<string>(parts, async () => {
    await endTasks(parts)
    await parts.keyring.refresh()
    const [tree] = await parts.engine.query(readTree)
    if (!tree || tree.stopped === null) return { settled: tree?.origin ?? "" }
    return planNewLog(parts, tree, tree.stopped)
  })
}

async function endTasks(parts: Parts): Promise<void> {
  for (;;) {
    const found = await parts.engine.query(openTasks, { limit: AT_ONCE })
    if (found.length === 0) return
    await Promise.all(
      found.map(async ({ task_id }) => {
        const [task] = await parts.engine.query(taskById, { task_id })
        if (task && isOpen(task)) await endIfOpen(parts, task, "revoked", REASON)
      }),
    )
  }
}

async function planNewLog(parts: Parts, tree: TreeRow, stopped: string) {
  const { engine, ledger, issuer, keyring } = parts
  const at = ledger.at()
  // The time is in it, so that no other copy of this database ever begins a log of the same name.
  const origin = `${new URL(issuer).host}/${toInstant(at)}`
  const first = tree.first + (tree.newest ?? 0)
  const ours = (await engine.query(newestCheckpoint))[0]?.note ?? null
  const evidence: { readonly [member: string]: Json } = JSON.parse(stopped)
  const body = {
    origin,
    by: BY,
    evidence: { ours, ...evidence },
    left: { origin: tree.origin, ...(await leftBefore(engine, first)) },
  }
  const keys = await planKeys(parts, at)
  if (keys instanceof Refusal) return keys
  const begin = {
    origin,
    first,
    was: tree.origin,
    feed_from: toEpochSeconds(at) * CURSORS_PER_SECOND,
    frontier: new Uint8Array(),
  }
  const steps: Step[] = [
    { statement: entriesEnd, values: { first }, rows: 1 },
    { statement: noOpenTask, values: {}, rows: 1 },
    { statement: beginTree, values: begin, rows: 1 },
    { statement: forgetNodes, values: {} },
    { statement: forgetCheckpoints, values: { first } },
    ...ledger.steps({ kind: "ledger.begun", at, body }),
    ...keys,
    ...newLedgerKeySteps(ledger, keyring.wrapping, origin, BY),
  ]
  return { steps, answer: () => keyring.refresh().then(() => origin) }
}

/** Every key is revoked, to every API; and to each API everything that was issued before, by whatever key. */
async function planKeys(parts: Parts, at: number): Promise<Step[] | Refusal> {
  const { keyring, ledger, names, policies } = parts
  const revocations = new Map(keyring.standing().map(({ kid }) => [kid, newId("rev", at)]))
  const replaced = await planReplacingAll(keyring, ledger, BY, revocations)
  if (replaced instanceof Refusal) return replaced
  const apis = [...policies.inForce().apis.values()]
  const now = toEpochSeconds(at)
  const until = now + KEY_REVOKED_SECONDS
  const orders = [...revocations].flatMap(([kid, id]): Step[] => {
    const order = {
      kind: "key",
      value: kid,
      agent: "",
      instance: "",
      id,
      at,
      now_seconds: now,
      before: until,
    }
    const values = { ...order, until: null, reason: REASON, set_by: BY }
    const told = { id, kid, before: until, successor: replaced.successor }
    return [
      { statement: insertRevocation, values, rows: 1 },
      { statement: tellCovered, values },
      { statement: endCovered, values },
      ...apis.map(({ name }) => ({ statement: feedKey, values: { ...told, api: name }, rows: 1 })),
      ...ledger.steps({
        kind: "token.revoked",
        at,
        body: { revocation: id, of: "key", by: BY, reason: REASON },
      }),
    ]
  })
  const whole = apis.map(({ name, resource }): Step => {
    // What is minted from now on may have this second.
    const values = { resource, before: now - 1, until, api: name }
    return { statement: feedWholeApi, values, rows: 1 }
  })
  return [...names.steps(apis.map(({ name }) => name)), ...orders, ...whole, ...replaced.steps]
}
