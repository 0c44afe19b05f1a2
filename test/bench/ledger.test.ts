// The ledger's benchmark in its short form: every figure is taken, with its limit beside it. Whether the limits are reached is for
// `npm run bench -- ledger` to say, on a machine that does nothing else.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, expect, test, vi } from "vitest"
import { benchAppending } from "../../bench/ledger-appending.ts"
import { benchArchiving } from "../../bench/ledger-archiving.ts"
import { benchAsking } from "../../bench/ledger-asking.ts"
import { benchVerifying } from "../../bench/ledger-verifying.ts"
import { createFolders } from "../support/folder.ts"

const newFolder = createFolders()
const SETTINGS = { rounds: 1, seconds: 0.2, tasks: 0, entries: 2000, sessions: 0 }
const printed = vi.spyOn(console, "log").mockImplementation(() => undefined)
afterEach(() => printed.mockClear())
afterAll(() => printed.mockRestore())

const newPlaces = () => {
  const folder = newFolder()
  return async (name: string) => {
    mkdirSync(join(folder, name))
    return join(folder, name, "issuer.db")
  }
}

/** Lines with a limit, by what they measure. */
const judged = (): string[] =>
  printed.mock.calls
    .map(([line]) => String(line))
    .filter((line) => /limit \d.*(reached|MISSED)$/.test(line))
    .map((line) => line.trim().split("  ")[0] ?? "")

test("appending with a tree and without", async () => {
  await benchAppending("SQLite", SETTINGS, newPlaces())
  expect(judged()).toEqual(["with tree and checkpoints"])
})

test("questions, each of which finds what was told", async () => {
  await benchAsking("SQLite", SETTINGS, newPlaces())
  expect(judged()).toEqual([
    "a task's whole story, p50",
    "p99",
    "an agent's last hour, a page of it, p50",
    "bytes of a use, with its indexes",
  ])
})

test("verifying, of a ledger that is whole", async () => {
  await benchVerifying(SETTINGS)
  expect(judged()).toEqual(["entries verified"])
})

test("archiving, of uses as guards tell of them", async () => {
  await benchArchiving({ ...SETTINGS, entries: 600 })
  expect(judged()).toEqual(["bytes of a use, as rows", "bytes of a use, once archived"])
})
