// Whether this process lives and whether it can mint. It decides that from what can really be written, not from what was
// configured; it tells no version, path or name.
import { z } from "@hono/zod-openapi"
import type { Engine } from "../database/database.ts"
import type { Refusal } from "../errors.ts"
import type { Keyring } from "../keys/keyring.ts"
import type { Rotation } from "../keys/rotation.ts"
import type { PolicyStore } from "../policy/in-force.ts"
import type { Clock } from "../time.ts"
import { type Endpoint, json, open } from "./endpoint.ts"
import { writeProbe } from "./statements.ts"

/** What can keep this process from minting, or ought to be looked at. */
export interface Health {
  /** Warnings while this process can mint; undefined when it can't. */
  ready(): Promise<readonly string[] | undefined>
  /** Why it can't, where that waits for a person. */
  reasons(): readonly string[]
  /** From now on this process is not ready: it is about to end. */
  drain(): void
}

export interface HealthOptions {
  readonly engine: Engine
  readonly policies: PolicyStore
  readonly keyring: Pick<Keyring, "isLocked">
  readonly rotation: Pick<Rotation, "waitsForSigner">
  readonly clock: Clock
  readonly unready: () => Refusal | undefined
  /** Whether a verifier has gone quiet: its API may be serving without a record. */
  readonly verifierSilent: () => boolean
  /** Whether an identity provider's keys are not to be had: its workloads and people can't come in. */
  readonly providerAway: () => boolean
  /** Whether what is told outwards waits for long: a webhook does not take it. */
  readonly webhookLate: () => boolean
  /** Whether files of archived entries can't be read: what is asked of them is refused. */
  readonly archiveAway: () => boolean
}

/** However often somebody asks, the disk is written to at most once in this time. */
const PROBE_MILLISECONDS = 2000

export function watchHealth(options: HealthOptions): Health {
  const { engine, clock } = options
  let draining = false
  let broken = false
  let probedAt = Number.NEGATIVE_INFINITY
  let probe: Promise<boolean> = Promise.resolve(true)
  engine.broken.then(() => {
    broken = true
  })

  const write = async (): Promise<boolean> => {
    try {
      await engine.atomically([{ statement: writeProbe, values: { value: String(clock.now()) }, rows: 1 }])
      return true
    } catch {
      // Whatever keeps it from committing: while it can't, this process can't mint.
      return false
    }
  }
  const writable = (): Promise<boolean> => {
    if (clock.monotonic() - probedAt >= PROBE_MILLISECONDS) {
      probedAt = clock.monotonic()
      probe = write()
    }
    return probe
  }

  return {
    drain: () => {
      draining = true
    },
    async ready() {
      if (draining || broken || options.unready() || !(await writable())) return undefined
      return warningsOf(options)
    },
    reasons: () => (options.unready()?.code === "ledger_broken" ? ["ledger_broken"] : []),
  }
}

/** What an operator has to do, while it can mint all the same. */
function warningsOf(options: HealthOptions): string[] {
  const { policies, keyring, rotation, verifierSilent, providerAway, webhookLate, archiveAway } = options
  const { refused } = policies.state()
  return [
    ...(refused ? [`policy_${refused.reason}`] : []),
    ...(keyring.isLocked() ? ["key_encryption_key_replaced"] : []),
    ...(rotation.waitsForSigner() ? ["key_signer_missing"] : []),
    ...(verifierSilent() ? ["verifier_silent"] : []),
    ...(providerAway() ? ["identity_provider_away"] : []),
    ...(webhookLate() ? ["webhook_late"] : []),
    ...(archiveAway() ? ["archive_away"] : []),
  ]
}

const Alive = z.strictObject({ status: z.literal("ok") }).openapi("Alive")
const Ready = z
  .strictObject({ status: z.enum(["ready", "unready"]), warnings: z.array(z.string()) })
  .openapi("Ready")

export const healthEndpoints = (health: Health): Endpoint[] => [
  open({
    method: "get",
    path: "/livez",
    summary: "This process answers",
    group: "health",
    answers: { 200: { description: "It does", schema: Alive } },
    run: () => json(200, { status: "ok" }),
  }),
  open({
    method: "get",
    path: "/readyz",
    summary: "This process can mint",
    group: "health",
    answers: {
      200: { description: "It can; warnings ought to be looked at", schema: Ready },
      503: { description: "It can't; a warning says why where a person has to act", schema: Ready },
    },
    async run() {
      const warnings = await health.ready()
      if (warnings) return json(200, { status: "ready", warnings })
      const unready = { status: "unready", warnings: health.reasons() }
      return json(503, unready, { "cache-control": "no-store", "retry-after": "2" })
    },
  }),
]
