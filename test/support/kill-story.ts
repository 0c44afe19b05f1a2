// A guarded API killed by SIGKILL under load, again and again on one spool, with the issuer killed for part of it: real
// processes, a real ledger. What the handlers noted and what the ledger holds is compared by whoever runs it.
import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { createOrchestrator } from "../../src/client/client.ts"
import { createNames } from "../../src/database/names.ts"
import { openDatabase } from "../../src/database/open.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { systemClock } from "../../src/time.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { optionsOf } from "./guarded-api.ts"
import { replaceKeys } from "./policy-keys.ts"
import { ROOT } from "./source.ts"
import { writePolicies } from "./world.ts"

export const ISSUER = "https://taskmint.internal"
const AT_ONCE = 16
/** Rounds that one token lasts for, at some seconds each. */
const ROUNDS_PER_TOKEN = 20

export interface KillStory {
  readonly kills: number
  /** Of the uses whose handlers ran, in order. */
  readonly handled: readonly string[]
  /** Every allowed use in the ledger: its id, and whether its outcome is known. */
  readonly recorded: readonly { readonly use: string; readonly finished: boolean }[]
  /** Requests that can have been under way, recorded and not yet handled, when a process was killed. */
  readonly underWay: number
}

/** `told` hears of every round. What is started is ended, also when it throws. */
export async function runKillStory(
  site: Site,
  rounds: number,
  told: (round: number) => void = () => undefined,
): Promise<KillStory> {
  await onStage(site, (stage) => runRounds(stage, rounds, told))
  return { kills: rounds, ...(await readStory(site)), underWay: rounds * AT_ONCE }
}

/** An empty folder becomes what an issuer and an API start from; whatever process `play` leaves is ended. */
export async function onStage(site: Site, play: (stage: Stage) => Promise<void>): Promise<void> {
  const { folder } = site
  writePolicies(join(folder, "policies"))
  const keys = replaceKeys(join(folder, "policies"))
  writeFileSync(join(folder, "kek"), randomBytes(32), { mode: 0o600 })
  const children = new Set<ChildProcess>()
  try {
    await play({ ...site, keys, children })
  } finally {
    for (const child of children) child.kill("SIGKILL")
  }
}

/** Once all processes are gone. */
export async function readStory({ folder, place }: Site): Promise<Pick<KillStory, "handled" | "recorded">> {
  const handled = readFileSync(join(folder, "handled.log"), "utf8").trim().split("\n")
  return { handled, recorded: await readLedger(place) }
}

/** An empty folder, and an empty place for the issuer's data, as `openDatabase` is told. */
interface Site {
  readonly folder: string
  readonly place: string
}

export interface Stage extends Site {
  readonly keys: ReadonlyMap<string, PrivateJwk>
  readonly children: Set<ChildProcess>
}

async function runRounds(stage: Stage, rounds: number, told: (round: number) => void): Promise<void> {
  let issuer = await startIssuer(stage)
  const { port } = new URL(issuer.address)
  let token = ""
  for (let round = 0; round < rounds; round++) {
    if (round % ROUNDS_PER_TOKEN === 0) token = await startTask(stage, issuer.address)
    const api = await startApi(stage, issuer.address)
    const load = Promise.allSettled(Array.from({ length: AT_ONCE }, () => callUntilGone(api.address, token)))
    await sleep(20 + ((round * 37) % 160))
    const away = round % 2 === 1
    if (away) {
      await issuer.kill()
      await sleep(50 + ((round * 53) % 200))
    }
    await api.kill()
    await load
    if (away) issuer = await startIssuer(stage, port)
    told(round)
  }
  await shipTheRest(stage, issuer.address)
  await issuer.kill()
}

async function startChild({ children }: Stage, file: string, args: readonly string[]) {
  const child = fork(join(ROOT, "test/support", file), [...args], { execArgv: [] })
  children.add(child)
  const address = await new Promise<string>((resolve, reject) => {
    child.once("message", (text) => resolve(String(text)))
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code} before it listened`)))
  })
  const kill = () =>
    new Promise<void>((resolve) => {
      child.once("exit", () => {
        children.delete(child)
        resolve()
      })
      child.kill("SIGKILL")
    })
  return { address, kill }
}

export const startIssuer = (stage: Stage, port = "0") =>
  startChild(stage, "issuer-child.ts", [stage.folder, ISSUER, port, stage.place])

export function startApi(stage: Stage, address: string) {
  return startChild(stage, "guarded-child.ts", apiArguments(stage, address))
}

export const apiArguments = ({ folder, keys }: Stage, address: string) => [
  ISSUER,
  JSON.stringify(keys.get("tickets")),
  join(folder, "uses.db"),
  join(folder, "handled.log"),
  address,
]

export async function startTask({ keys }: Stage, issuerAddress: string): Promise<string> {
  const privateJwk = { ...keys.get("support-orchestrator") }
  const credential = { clientId: "support-orchestrator", privateJwk }
  const task = await createOrchestrator({ issuer: ISSUER, issuerAddress, credential }).start({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "Survive",
    inputs: { ticket: "SUP-1042" },
  })
  return task.handover().tokens[0]?.accessToken ?? ""
}

/** One request after the other; throws when the API is gone, or does not answer 200. */
export async function callUntilGone(address: string, token: string, isOver = () => false): Promise<void> {
  while (!isOver()) {
    const headers = { authorization: `Bearer ${token}` }
    const { status } = await fetch(`${address}/tickets/SUP-1042`, { headers })
    if (status !== 200) throw new Error(`the API answered ${status}`)
  }
}

export async function shipTheRest({ folder, keys }: Stage, issuerAddress: string): Promise<void> {
  const credential = { clientId: "tickets", privateJwk: { ...keys.get("tickets") } }
  const verifier = await createVerifier(
    optionsOf(ISSUER, join(folder, "uses.db"), { credential, issuerAddress }),
  )
  await verifier.flush()
  await verifier.close()
}

async function readLedger(place: string): Promise<KillStory["recorded"]> {
  const engine = await openDatabase(place)
  const ledger = await createLedger({ engine, names: createNames(engine), clock: systemClock })
  const recorded: { use: string; finished: boolean }[] = []
  for (let after: string | undefined; ; ) {
    const page = await ledger.read({
      kind: "use.allowed",
      limit: 1000,
      ...(after !== undefined && { after }),
    })
    for (const { body } of page.entries)
      recorded.push({ use: String(body?.use), finished: body?.status !== undefined })
    if (page.next === null) break
    after = page.next
  }
  await engine.close()
  return recorded
}
