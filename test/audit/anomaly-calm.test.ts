// Ordinary work of thirty days raises next to nothing: at most 3 anomalies in 1,000 tasks. `npm run evidence -- anomalies` is the
// long form.
import { join } from "node:path"
import { expect, test } from "vitest"
import { runCalm } from "../support/calm.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()

test("at most 3 anomalies in 1,000 tasks of thirty ordinary days", async () => {
  const { tasks, raised } = await runCalm(join(newFolder(), "calm.db"), 20260105, 1)
  const all = Object.values(raised).reduce((sum, count) => sum + count, 0)
  expect(tasks).toBeGreaterThan(2000)
  expect(all / tasks, JSON.stringify(raised)).toBeLessThanOrEqual(3 / 1000)
}, 60_000)
