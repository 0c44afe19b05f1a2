// Folders of one test file, removed when it is done.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

/** Answers a maker of new empty folders; all are removed after the file's last test. */
export function createFolders(): () => string {
  const made: string[] = []
  afterAll(() => {
    for (const folder of made) rmSync(folder, { recursive: true, force: true })
  })
  return () => {
    const folder = mkdtempSync(join(tmpdir(), "taskmint-"))
    made.push(folder)
    return folder
  }
}
