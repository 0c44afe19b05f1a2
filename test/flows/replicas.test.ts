// Three issuers on one database, killed one after the other while tasks are started: what callers hold and what the ledger
// tells are the same, and nobody had to help.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { createDatabase } from "../support/postgres.ts"
import { runReplicaStory } from "../support/replica-story.ts"

const STARTS = 800
const KILLS = 10

test("replicas killed under load lose no start, do none twice, and leave no gap", async () => {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-replicas-"))
  const database = await createDatabase()
  try {
    const story = await runReplicaStory({ folder, address: database.address }, STARTS, KILLS)
    expect(story.tasks.size).toBe(STARTS)
    expect([...story.tokens].filter(([jti, task]) => story.issued.get(jti) !== task)).toEqual([])
    expect(new Map(story.started.map(({ reference, task }) => [reference, task]))).toEqual(story.tasks)
    expect(story.started).toHaveLength(STARTS)
    expect(story.entries.last).toBe(story.entries.count)
    expect(story.entries.bytes).toBe(story.entries.count)
    expect(story.slowest).toBeLessThan(10_000)
  } finally {
    await database.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}, 120_000)
