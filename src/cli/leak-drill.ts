// The steps of a leak, timed: minted, leaked, used, found, revoked, applied by each verifier instance, refused, and what the
// ledger says of it all. It decides what counts as held; whatever happens, the token is ended and its file is gone.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { ClientError } from "../client/error.ts"
import { asRecord, type IssuerCalls } from "../client/issuer-call.ts"
import { createFindings, type Finding } from "../exposure/findings.ts"
import { sourcesAt } from "../exposure/source.ts"
import type { FetchFile } from "../ledger/verify-tiles.ts"
import { exchange, Unreachable } from "../remote/exchange.ts"
import { type Canary, type LikeFlags, mintCanary } from "./canary.ts"
import { wrongUse } from "./exit.ts"
import { awaitApplied } from "./revoke.ts"
import { keysOf, tell } from "./scan-asking.ts"

/** `unknown`: it could not be told. */
export type Result = "held" | "failed" | "unknown"

export interface Step {
  readonly what: string
  readonly result: Result
  /** Milliseconds since the drill began. */
  readonly at: number
  readonly detail: string
}

export interface DrillReport {
  readonly jti: string
  readonly taskId: string
  readonly steps: readonly Step[]
  /** The newest one, a signed note; its signature is NOT checked. Undefined: the caller may not read it. */
  readonly checkpoint: string | undefined
}

interface Drill {
  readonly issuer: IssuerCalls
  readonly log: FetchFile
  readonly canary: Canary
  readonly url: string
  note(what: string, result: Result, detail: string): void
}

type View = Readonly<Record<string, unknown>>

const REASON = "leak drill"
const PATIENCE_MILLISECONDS = 10_000
const LOOK_MILLISECONDS = 50
const ANSWER = { maxBytes: 65_536, timeoutMilliseconds: 5000 }

/** Throws ClientError where no canary is minted or its end is not taken, and Stop on a URL that is not the API's. */
export async function runLeakDrill(
  { issuer, log }: Pick<Drill, "issuer" | "log">,
  type: string,
  flags: LikeFlags & { readonly url?: string },
): Promise<DrillReport> {
  const began = performance.now()
  const steps: Step[] = []
  const note: Drill["note"] = (what, result, detail) =>
    void steps.push({ what, result, detail, at: performance.now() - began })
  const canary = await mintCanary(issuer, type, { ...flags, reason: REASON, live: true })
  let checkpoint: string | undefined
  let revoked = false
  const folder = mkdtempSync(join(tmpdir(), "taskmint-drill-"))
  try {
    note("a token was minted that grants nothing", "held", `for ${canary.resource}`)
    const drill = { issuer, log, canary, note, url: addressOf(canary, flags.url) }
    leak(drill, folder)
    const guarded = await useBefore(drill)
    const found = await find(drill, folder)
    const order = await revoke(issuer, canary)
    revoked = true
    note("it was revoked", order.tokens_ended === 1 ? "held" : "failed", `${order.tokens_ended} token ended`)
    const refusedAt = guarded && (await useAfter(drill))
    await tellApplied(drill, order)
    const [left] = await tell(issuer, found)
    note(
      "nothing of it is alive",
      left?.told?.state === "ended" ? "held" : "failed",
      `it has ${left?.told?.state}`,
    )
    checkpoint = await askLedger(drill, refusedAt)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    if (!revoked) await revoke(issuer, canary)
  }
  return { jti: canary.jti, taskId: canary.taskId, steps, checkpoint }
}

const revoke = async (issuer: IssuerCalls, { jti }: Canary): Promise<View> =>
  asRecord((await issuer.call("POST", "/revocations", { kind: "token", value: jti, reason: REASON })).body)

/** The token goes to the API that it is for, and nowhere else. */
function addressOf({ resource }: Canary, url = resource): string {
  if (!URL.canParse(url) || new URL(url).origin !== new URL(resource).origin)
    throw wrongUse(
      `--url is not at ${new URL(resource).origin}`,
      "Name an address of the API that the token is for",
    )
  return url
}

/** What the API answers to the token: a code of ours, where a guard of ours refused it. */
async function show({ url, canary }: Drill): Promise<{ readonly status: number; readonly code: string }> {
  const headers = { authorization: `Bearer ${canary.accessToken}`, accept: "application/problem+json" }
  const { status, text } = await exchange(url, { headers }, ANSWER)
  try {
    return { status, code: String(asRecord(JSON.parse(text)).code ?? "") }
  } catch {
    return { status, code: "" } // not ours: the status says enough
  }
}

const USED = "the thief used it"

/** Answers whether a guard stands there. */
async function useBefore(drill: Drill): Promise<boolean> {
  try {
    const { status, code } = await show(drill)
    const refused = status >= 400 && code !== ""
    if (status < 400) drill.note(USED, "failed", `answered ${status}: no guard there, or one that observes`)
    else if (!refused)
      drill.note(USED, "unknown", `answered ${status}, by no guard: give --url of a guarded address`)
    else drill.note(USED, "held", `refused with ${status} ${code}: it opens nothing`)
    return refused
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    drill.note(USED, "unknown", "the API can't be reached from here")
    return false
  }
}

function leak({ canary, note }: Drill, folder: string): void {
  const line = `${new Date().toISOString()} INFO retrying with Bearer ${canary.accessToken}\n`
  writeFileSync(join(folder, "agent.log"), `${"an ordinary line\n".repeat(10_000)}${line}`, { mode: 0o600 })
  note("it leaked into a log", "held", "10,001 lines, on this computer, gone when the drill ends")
}

const FOUND = "it was found in the log"

async function find({ issuer, canary, note }: Drill, folder: string): Promise<readonly Finding[]> {
  const keyOf = await keysOf(issuer.issuer).catch(() => undefined)
  const findings = createFindings({ issuer: issuer.issuer, keyOf })
  for await (const source of sourcesAt(folder))
    if (!("why" in source)) await findings.look(source, () => undefined)
  const found = findings.all().filter(({ jti }) => jti === canary.jti)
  note(FOUND, found.length === 1 ? "held" : "failed", found.map(placeOf).join())
  const told = found.map(renamed)
  const [answered] = await tell(issuer, told)
  const recorded = answered?.told?.recorded === true && answered.told.state === "live"
  note("that it was found stands in the ledger", recorded ? "held" : "failed", "as token.exposed, by its id")
  return told
}

const placeOf = ({ places, standing }: Finding): string => `line ${places[0]?.line}, ${standing}`

/** The folder is made up. */
const renamed = (finding: Finding): Finding => ({
  ...finding,
  places: finding.places.map((place) => ({ ...place, file: "drill/agent.log" })),
})

const REFUSED = "the first refusal was seen"

function awayAt(error: unknown) {
  if (!(error instanceof Unreachable)) throw error
  return { status: "no answer", code: "" }
}

/** Asks until the guard knows; answers whether it did. */
async function useAfter(drill: Drill): Promise<boolean> {
  const until = performance.now() + PATIENCE_MILLISECONDS
  const began = performance.now()
  let last = ""
  while (performance.now() < until) {
    const { status, code } = await show(drill).catch(awayAt)
    last = `${status} ${code}`.trim()
    if (code === "token_revoked") {
      const after = Math.round(performance.now() - began)
      drill.note(REFUSED, "held", `${last}, ${after} ms after the order was taken`)
      return true
    }
    await sleep(LOOK_MILLISECONDS)
  }
  drill.note(REFUSED, "failed", `still ${last} after ${PATIENCE_MILLISECONDS / 1000} s`)
  return false
}

/** A step for each verifier instance of its API. */
async function tellApplied({ issuer, note }: Drill, order: View): Promise<void> {
  const { instances, at } = await awaitApplied(issuer, order)
  const all = Array.isArray(instances) ? instances.map(asRecord) : []
  if (all.length === 0) note("verifier instances", "unknown", "none has ever reported for this API")
  for (const { instance, applied_at, closed } of all) {
    const what = `verifier ${String(instance)}`
    const after = Date.parse(String(applied_at)) - Date.parse(String(at))
    if (applied_at !== undefined) note(what, "held", `has applied it, ${after} ms after the order`)
    else if (closed === true) note(what, "held", "is closed, and asks before it serves again")
    else note(what, "failed", "has not applied it")
  }
}

/** What there must be in the ledger, by kind and code, and what there must not. */
const EXPECTED = [
  ["canary.issued", undefined, "that it is a canary"],
  ["alarm.raised", "canary_used", "the alarm about its use"],
  ["token.exposed", undefined, "where it was found"],
  ["token.revoked", undefined, "its end"],
  ["use.refused", "token_revoked", "the refusal after its end"],
] as const

async function askLedger(
  { issuer, log, canary, note }: Drill,
  wasRefused: boolean,
): Promise<string | undefined> {
  const expected = EXPECTED.filter(
    ([kind]) => wasRefused || (kind !== "use.refused" && kind !== "alarm.raised"),
  )
  const read = async () => entriesOf((await issuer.call("GET", `/ledger/entries?jti=${canary.jti}`)).body)
  const isMissing = (entries: readonly View[]) =>
    expected.filter(
      ([kind, code]) => !entries.some((one) => one.kind === kind && (code ?? one.code) === one.code),
    )
  try {
    const until = performance.now() + PATIENCE_MILLISECONDS
    let entries = await read()
    while (isMissing(entries).length > 0 && performance.now() < until) {
      await sleep(LOOK_MILLISECONDS * 4)
      entries = await read()
    }
    const missing = isMissing(entries).map(([, , what]) => what)
    const told =
      missing.length === 0 ? expected.map(([, , what]) => what).join(", ") : `missing: ${missing.join(", ")}`
    note("the ledger tells it", missing.length === 0 ? "held" : "failed", told)
    const passed = entries.filter(({ kind }) => kind === "use.allowed" || kind === "use.observed").length
    note(
      "nothing was allowed with it",
      passed === 0 ? "held" : "failed",
      `${passed} use(s) of ${entries.length} entries`,
    )
    return await signedUpTo(Math.max(...entries.map(({ seq }) => Number(seq))), { log, note })
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    note("the ledger tells it", "unknown", `${error.message}: it needs the role auditor beside operator`)
    return undefined
  }
}

const entriesOf = (body: unknown): readonly View[] => {
  const { entries } = asRecord(body)
  return Array.isArray(entries) ? entries.map(asRecord) : []
}

/** A checkpoint follows within a second of what it signs. */
async function signedUpTo(seq: number, { log, note }: Pick<Drill, "log" | "note">): Promise<string> {
  const until = performance.now() + PATIENCE_MILLISECONDS
  for (;;) {
    const text = Buffer.from(await log("checkpoint")).toString("utf8")
    const size = Number(text.split("\n")[1])
    if (size >= seq || performance.now() >= until) {
      note(
        "the ledger is signed up to that",
        size >= seq ? "held" : "failed",
        `${size} entries, the last of these is ${seq}`,
      )
      return text
    }
    await sleep(LOOK_MILLISECONDS * 4)
  }
}
