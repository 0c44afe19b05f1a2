// Entries for a command, of a file or of an issuer: those of the time that was asked for, in their order, and nothing that is none.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { askForEntries, readEntries } from "../../src/cli/entry-source.ts"
import type { IssuerCalls } from "../../src/client/issuer-call.ts"
import type { Entry } from "../../src/ledger/entry.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-entries-"))
afterAll(() => rmSync(folder, { recursive: true }))

const BETWEEN = { from: "2026-03-01T00:00:00.000Z", to: "2026-03-02T00:00:00.000Z" }
const entryAt = (at: string, seq = 1): Entry => ({ seq, at, kind: "use.allowed" })
let files = 0
function file(...lines: readonly (string | Entry)[]): string {
  files += 1
  const path = join(folder, `${files}.jsonl`)
  writeFileSync(path, lines.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n"))
  return path
}
async function all(parts: AsyncIterable<readonly Entry[]>): Promise<{ sizes: number[]; entries: Entry[] }> {
  const [sizes, entries]: [number[], Entry[]] = [[], []]
  for await (const part of parts) {
    sizes.push(part.length)
    entries.push(...part)
  }
  return { sizes, entries }
}

test("of a file: from the first moment on, up to the last and without it, in the file's order", async () => {
  const within = [BETWEEN.from, "2026-03-01T12:00:00.000Z", "2026-03-01T23:59:59.999Z"].map((at, seq) =>
    entryAt(at, seq),
  )
  const path = file(
    entryAt("2026-02-28T23:59:59.999Z"),
    ...within,
    "",
    entryAt(BETWEEN.to),
    entryAt("2026-03-03T00:00:00.000Z"),
  )
  expect((await all(readEntries(path, BETWEEN))).entries).toEqual(within)
})

test("a long one comes in parts, and is whole", async () => {
  const many = Array.from({ length: 2500 }, (_, seq) => entryAt(BETWEEN.from, seq))
  const { sizes, entries } = await all(readEntries(file(...many), BETWEEN))
  expect([sizes, entries]).toEqual([[1000, 1000, 500], many])
})

test.each([
  ["no JSON", "{"],
  ["no entry", '{"seq":1}'],
  ["a place that is no number", JSON.stringify({ ...entryAt(BETWEEN.from), seq: "1" })],
])("a line that is none ends it, and is named: %s", async (_, line) => {
  const path = file(entryAt(BETWEEN.from), line)
  await expect(all(readEntries(path, BETWEEN))).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringContaining(`${path}:2: this is no entry`),
  })
})

test("a file that is not there is wrong use", async () => {
  await expect(all(readEntries(join(folder, "nowhere"), BETWEEN))).rejects.toMatchObject({ exitCode: 2 })
})

const issuerOf = (...pages: readonly unknown[]) => {
  const asked: string[] = []
  const issuer: IssuerCalls = {
    issuer: "https://x.example",
    call: async (_, path) => {
      asked.push(path)
      return { status: 200, body: pages[asked.length - 1] }
    },
    headers: () => Promise.reject(new Error("not asked for")),
    serviceToken: () => Promise.reject(new Error("not asked for")),
  }
  return { asked, issuer }
}

test("of an issuer: page by page to the last, within one time", async () => {
  const [one, other] = [entryAt(BETWEEN.from, 1), entryAt(BETWEEN.from, 2)]
  const { asked, issuer } = issuerOf({ entries: [one], next: "c1" }, { entries: [other, "x"], next: null })
  expect((await all(askForEntries(issuer, BETWEEN))).entries).toEqual([one, other])
  const first = "/ledger/entries?from=2026-03-01T00%3A00%3A00.000Z&to=2026-03-02T00%3A00%3A00.000Z&limit=1000"
  expect(asked).toEqual([first, `${first}&after=c1`])
})

test("an answer that is no page could not tell", async () => {
  const { issuer } = issuerOf({ next: null })
  await expect(all(askForEntries(issuer, BETWEEN))).rejects.toMatchObject({ exitCode: 3 })
})
