// `ledger verify` as an operator runs it: of a file, of tiles, of a running issuer; and what its exit codes mean.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { openReader } from "../../src/database/reader.ts"
import { readTile, type TilePath, writeTilePath } from "../../src/ledger/tiles.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { type LedgerFile, makeLedgerFile } from "../support/ledger-file.ts"
import { buildTown } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const newFolder = createFolders()
let ledger: LedgerFile
let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  ledger = await makeLedgerFile()
  folder = newFolder()
  for (const [place, note] of ledger.notes.entries()) writeFileSync(at(`note-${place}`), note)
  writeFileSync(at("ledger.vkey"), `${ledger.vkey}\n`)
  await exportTiles(at("tiles"))
})
afterAll(() => ledger.remove())

/** What the issuer serves, as files. */
async function exportTiles(to: string): Promise<void> {
  const reader = openReader(ledger.path)
  const put = (path: string, bytes: string | Uint8Array) => {
    mkdirSync(dirname(join(to, path)), { recursive: true })
    writeFileSync(join(to, path), bytes)
  }
  const full = Math.floor(ledger.entries / 256)
  const tiles: TilePath[] = [{ level: 1, place: 0, width: full }]
  for (const level of [0, "entries"] as const)
    for (let place = 0; place <= full; place++)
      tiles.push({ level, place, width: Math.min(256, ledger.entries - 256 * place) })
  for (const tile of tiles)
    put(`tile/${writeTilePath(tile)}`, (await readTile(reader, ledger.entries, tile)) ?? "")
  put("checkpoint", ledger.notes.at(-1) ?? "")
  put("key", `${ledger.vkey}\n`)
  reader.close()
}

const verify = (...args: string[]) => runCli(["ledger", "verify", ...args])
const database = () => ["--database", `sqlite:${ledger.path}`]

test("a file is verified while others have it open, and what that rests on is said", async () => {
  const { code, stdout, stderr } = await verify(...database())
  expect([code, stdout]).toEqual([
    0,
    `verified  ${ledger.entries} entries of taskmint.internal, held against ${ledger.notes.length} checkpoints\n`,
  ])
  expect(stderr).toMatch(/^\d+ entries a second\.\nThe key is the ledger's own word/)
})

test("with a key and a checkpoint from earlier nothing rests on the ledger's own word", async () => {
  const { code, stdout, stderr } = await verify(
    ...database(),
    ...["--key", at("ledger.vkey"), "--checkpoint", at("note-1"), "--json"],
  )
  expect([code, stderr]).toEqual([0, ""])
  expect(JSON.parse(stdout)).toMatchObject({ verdict: "verified", signed: ledger.entries, erased: {} })
})

test.each([
  ["a page", () => "# taskmint\n\nA readme.\n"],
  ["an error", () => JSON.stringify({ title: "Not yours", code: "role_missing" })],
  ["a manifest of something else", () => JSON.stringify({ checkpoint: "9" })],
  ["nothing", () => ""],
])("%s is no checkpoint: wrong use, and nothing is said of the ledger", async (_what, text) => {
  writeFileSync(at("mistyped"), text())
  const { code, stdout, stderr } = await verify(...database(), "--checkpoint", at("mistyped"))
  expect([code, stdout]).toEqual([2, ""])
  expect(stderr).toContain(`${at("mistyped")} is no checkpoint`)
  expect(stderr).not.toMatch(/broken|Keep this copy/)
})

test("H06: a checkpoint, and one in a manifest, is held against the ledger, and a forged one breaks it", async () => {
  const note = ledger.notes[1] ?? ""
  const forged = note.replace(/ \S+\n$/, (end) => ` ${flipped(end.trim())}\n`)
  for (const [kept, code] of [
    [note, 0],
    [forged, 1],
  ] as const)
    for (const text of [kept, JSON.stringify({ file: "entries.ndjson", checkpoint: kept })]) {
      writeFileSync(at("kept"), text)
      const found = await verify(...database(), "--key", at("ledger.vkey"), "--checkpoint", at("kept"))
      expect([found.code, /earlier checkpoint signature/.test(found.stderr)], found.stderr).toEqual([
        code,
        code === 1,
      ])
    }
})

/** Of a signature: its last byte is another. */
function flipped(text: string): string {
  const bytes = Buffer.from(text, "base64")
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  return bytes.toString("base64")
}

test("tiles are verified by themselves", async () => {
  const { code, stdout } = await verify(
    "--tiles",
    at("tiles"),
    "--key",
    ledger.vkey,
    "--checkpoint",
    at("note-0"),
  )
  expect([code, stdout]).toEqual([
    0,
    `verified  ${ledger.entries} entries of taskmint.internal, held against 2 checkpoints\n`,
  ])
})

test("H01: a tile with another byte is broken, 1, and its entry is named", async () => {
  const path = at("tiles/tile/entries/000")
  const whole = readFileSync(path)
  const changed = Buffer.from(whole)
  changed.writeUInt8(changed.readUInt8(30) ^ 1, 30)
  writeFileSync(path, changed)
  const { code, stdout, stderr } = await verify("--tiles", at("tiles"), "--json")
  writeFileSync(path, whole)
  expect([code, JSON.parse(stdout)]).toEqual([1, { verdict: "broken", seq: 1, how: "leaf_differs" }])
  expect(stderr).toContain("no: The ledger is broken at entry 1: leaf differs")
})

test.each([
  ["a file that is not there", ["--database", "sqlite:/nowhere/a.db"], 3],
  ["a folder that is not there", ["--tiles", "/nowhere"], 3],
  ["a checkpoint that is not there", ["--tiles", "/nowhere", "--checkpoint", "/nowhere/note"], 3],
  ["a key that is none", ["--database", "@", "--key", "a+00000000+b"], 2],
  ["two sources", ["--tiles", "a", "--served"], 2],
  ["a server's database", ["--database", "postgres://host/name"], 2],
])("%s is told apart from a broken ledger", async (_what, args, expected) => {
  const { code } = await verify(...args.map((one) => (one === "@" ? `sqlite:${ledger.path}` : one)))
  expect(code).toBe(expected)
})

test("a running issuer's log is verified as an auditor, over HTTP", async () => {
  const town = await buildTown()
  const keyFile = join(town.folder, "audit.private.json")
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("audit-team")), { mode: 0o600 })
  const env = {
    TASKMINT_ISSUER: town.issuerUrl,
    TASKMINT_CLIENT_ID: "audit-team",
    TASKMINT_CLIENT_KEY_FILE: keyFile,
  }
  const { code, stdout, stderr } = await runCli(["ledger", "verify", "--served"], { env })
  await town.close()
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^verified {2}\d+ entries of 127\.0\.0\.1:\d+, /)])
  expect(stderr).toContain("entries a second")
})
