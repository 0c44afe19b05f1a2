// A ledger that is copied by processes which are killed by SIGKILL, again and again, until one is let alone. What both
// databases hold is compared by whoever runs it.
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { LedgerCopy } from "../../src/ledger/copy.ts"
import { ROOT } from "./source.ts"

export interface CopyStory {
  /** Parts that the killed processes told of. */
  readonly parts: number
  /** What the process that was let alone answered. */
  readonly copied: LedgerCopy
}

/** `told` hears of every kill, once the process is gone. One that is done before it is killed ends the story. */
export async function runCopyStory(
  { from, to }: { readonly from: string; readonly to: string },
  kills: number,
  told: (kill: number) => Promise<void> | void = () => undefined,
): Promise<CopyStory> {
  let parts = 0
  for (let kill = 0; kill < kills; kill++) {
    const run = startCopy(from, to)
    await killOne(run, kill)
    parts += run.parts()
    const copied = run.copied()
    if (copied) return { parts, copied }
    await told(kill)
  }
  const run = startCopy(from, to)
  const [code] = await run.ended
  const copied = run.copied()
  if (!copied) throw new Error(`the copy ended with ${code} before it was finished`)
  return { parts, copied }
}

type Run = ReturnType<typeof startCopy>

function startCopy(from: string, to: string) {
  const child = fork(join(ROOT, "test/support/copy-child.ts"), [from, to], { execArgv: [] })
  let parts = 0
  let copied: LedgerCopy | undefined
  child.on("message", (message) => {
    if (typeof message === "object" && message !== null) copied = message as LedgerCopy
    else parts += 1
  })
  return { child, ended: once(child, "exit"), parts: () => parts, copied: () => copied }
}

/** Every other is killed while it starts, before its second part; the others some parts later, at any moment between two. */
async function killOne({ child, ended, parts }: Run, kill: number): Promise<void> {
  const told = () => once(child, "message")
  if (kill % 2 === 0) await Promise.race([ended, told(), sleep(150 + Math.random() * 600)])
  else {
    const enough = 1 + Math.floor(Math.random() * 3)
    while (parts() < enough && child.exitCode === null) await Promise.race([ended, told()])
    await sleep(Math.random() * 5)
  }
  child.kill("SIGKILL")
  await ended
}
