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

/** `told` hears of every kill, once the process is gone. */
export async function runCopyStory(
  { from, to }: { readonly from: string; readonly to: string },
  kills: number,
  told: (kill: number) => Promise<void> | void = () => undefined,
): Promise<CopyStory> {
  let parts = 0
  for (let kill = 0; kill < kills; kill++) {
    parts += await killOne(from, to, kill)
    await told(kill)
  }
  const child = startCopy(from, to)
  const ended = once(child, "exit")
  let copied: LedgerCopy | undefined
  child.on("message", (message) => {
    if (typeof message === "object" && message !== null) copied = message as LedgerCopy
  })
  const [code] = await ended
  if (!copied) throw new Error(`the copy ended with ${code} before it was finished`)
  return { parts, copied }
}

const startCopy = (from: string, to: string) =>
  fork(join(ROOT, "test/support/copy-child.ts"), [from, to], { execArgv: [] })

/** Every other is killed while it starts, the others some parts later, at any moment between two. */
async function killOne(from: string, to: string, kill: number): Promise<number> {
  const child = startCopy(from, to)
  const ended = once(child, "exit")
  let parts = 0
  child.on("message", () => {
    parts += 1
  })
  if (kill % 2 === 0) await Promise.race([ended, sleep(150 + Math.random() * 600)])
  else {
    const enough = 1 + Math.floor(Math.random() * 6)
    while (parts < enough && child.exitCode === null) await Promise.race([ended, once(child, "message")])
    await sleep(Math.random() * 20)
  }
  child.kill("SIGKILL")
  await ended
  return parts
}
