// What has to be so before entries can be archived, and archiving all that may be.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Refusal } from "../../src/errors.ts"
import { createClosings } from "../../src/issuer/closing.ts"
import { createArchives, type End } from "../../src/task/archive.ts"
import type { World } from "./world.ts"

export const DAY_MILLISECONDS = 86_400_000

/** So many entries of nobody's, signed. */
export async function pad(world: World, entries: number): Promise<void> {
  const at = world.ledger.at()
  await world.ledger.append(
    Array.from({ length: entries }, (_each, n) => ({ kind: "access.read", at, body: { n } })),
  )
  await world.sequence.advance()
}

/** Two days on: what ran has ended, and every statement that was owed is made. */
export async function closeAll(world: World): Promise<void> {
  world.clock.advance(DAY_MILLISECONDS)
  await world.tasks.sweep()
  const closings = createClosings(world)
  await closings.look()
  world.clock.advance(DAY_MILLISECONDS + 60_000)
  await closings.look()
  await world.sequence.advance()
}

/** Everything up to now that may go. */
export async function archiveAll(world: World) {
  const archives = createArchives(world)
  let entries = 0
  for (let end: End | undefined; end === undefined; ) {
    const asked = { by: "operations-team", before: world.ledger.at(), toFiles: world.archive !== undefined }
    const done = await archives.next(asked)
    if (done instanceof Refusal) throw new Error(done.reason)
    entries += done.entries
    end = done.end
  }
  await world.sequence.advance()
  return entries
}

/** What its first two tiles hold, as text. */
export const archivedFiles = ({ archive }: World): string[] =>
  ["000", "001"].map((name) => readFileSync(join(archive?.root ?? "", "tile/entries", name), "latin1"))
