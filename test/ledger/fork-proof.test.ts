// The proof that one key signed two histories: it holds for whoever has neither, and nothing else passes for one. And the
// files of it that `ledger verify` writes and checks.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { addVerify } from "../../src/cli/ledger-verify.ts"
import { bundle } from "../../src/ledger/bundle.ts"
import { type ForkProof, objectionToFork, proveFork } from "../../src/ledger/fork-proof.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { createFolders } from "../support/folder.ts"
import { runHere } from "../support/in-process.ts"
import { createSmallLog, newNoteSigner, type SmallLog } from "../support/small-log.ts"

const newFolder = createFolders()
const entry = (n: unknown) => JSON.stringify({ kind: "access.read", n })
const leavesOf = ({ entries }: SmallLog) => entries.map((text) => leafHash(Buffer.from(text)))
const hashesOf = (log: SmallLog) => async (_level: number, from: number, to: number) =>
  leavesOf(log).slice(from, to)

/** Two logs of one key that go apart after so many entries. */
function parted(common: number, ours: number, theirs: number): readonly [SmallLog, SmallLog] {
  const log = createSmallLog(
    newNoteSigner(),
    Array.from({ length: common }, (_, n) => entry(n)),
  )
  const copy = log.copy()
  for (let n = 0; n < ours; n++) log.append(entry(`ours ${n}`))
  for (let n = 0; n < theirs; n++) copy.append(entry(`theirs ${n}`))
  return [log, copy]
}
async function forked(common: number, ours: number, theirs: number): Promise<ForkProof> {
  const [log, copy] = parted(common, ours, theirs)
  const notes = { signed: log.note(), other: copy.note() }
  const proof = await proveFork(hashesOf(copy), [newNoteSigner().vkey, log.vkey], notes)
  if (!proof) throw new Error("no proof")
  return proof
}

test.each([
  [1, 1, 1],
  [1, 1, 7],
  [5, 3, 3],
  [6, 2, 9],
  [100, 20, 60],
])("H04: two histories that part after %i entries, of %i and %i more, are proved", async (...sizes) => {
  expect(objectionToFork(await forked(...sizes))).toBeUndefined()
})

test("nothing is proved of one history, of two keys, of a ledger that was not signed, or of a newer one", async () => {
  const [log, copy] = parted(4, 2, 6)
  const prove = (of: SmallLog, signed: string, other: string, key = log.vkey) =>
    proveFork(hashesOf(of), [key], { signed, other })
  expect(await prove(copy, copy.note(3), copy.note())).toBeUndefined()
  expect(await prove(copy, log.note(), copy.note(), newNoteSigner().vkey)).toBeUndefined()
  expect(await prove(copy, log.note(), createSmallLog(newNoteSigner(), copy.entries).note())).toBeUndefined()
  expect(await prove(log, log.note(), copy.note(6))).toBeDefined() // of one size the notes are enough
  copy.entries[1] = entry("changed behind the checkpoint")
  expect(await prove(copy, log.note(), (await forked(4, 2, 6)).other)).toBeUndefined()
  expect(await prove(log, copy.note(), log.note())).toBeUndefined()
})

test("whatever of a proof is changed, it proves nothing", async () => {
  const proof = await forked(6, 2, 9)
  const flip = (text: string) => `${text.slice(0, 9)}${text[9] === "A" ? "B" : "A"}${text.slice(10)}`
  const changed = [
    ...(["key", "signed", "other", "root"] as const).map((name) => ({ ...proof, [name]: flip(proof[name]) })),
    ...proof.consistency.map((one, at) => ({ ...proof, consistency: proof.consistency.with(at, flip(one)) })),
    { ...proof, consistency: proof.consistency.slice(1) },
    { ...proof, consistency: [...proof.consistency, proof.root] },
    { ...proof, signed: proof.other, other: proof.signed },
    { ...proof, signed: proof.other },
    { ...proof, consistency: [7] },
    { ...proof, root: undefined },
    ...[null, "proof", 7, []],
  ]
  for (const one of changed) expect(objectionToFork(one), JSON.stringify(one)).toMatch(/\w/)
})

const run = (...args: string[]) => runHere(addVerify, ["verify", ...args])

/** What an issuer serves of that log, as files. */
function serve(log: SmallLog): string {
  const folder = newFolder()
  const put = (path: string, bytes: string | Uint8Array) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
  const width = log.entries.length
  put(`tile/0/000.p/${width}`, Buffer.concat(leavesOf(log)))
  put(`tile/entries/000.p/${width}`, bundle(log.entries.map((text) => Buffer.from(text))))
  put("checkpoint", log.note())
  put("key", `${log.vkey}\n`)
  return folder
}

test("verifying keeps the proof in a file, which anybody checks who knows the key", async () => {
  const [log, copy] = parted(6, 2, 9)
  const tiles = serve(copy)
  const [earlier, path] = [join(tiles, "kept.note"), join(tiles, "proof.json")]
  writeFileSync(earlier, log.note())
  const verify = () => run("--tiles", tiles, "--key", log.vkey, "--checkpoint", earlier, "--proof", path)
  expect(await verify()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`The proof is in ${path}`),
  })
  expect(await verify()).toMatchObject({ code: 2, stderr: expect.stringContaining("is there already") })
  const check = (...args: string[]) => run("--check-proof", path, ...args)
  expect(await check("--key", log.vkey)).toEqual({
    code: 0,
    stdout: `proved  whoever has the key ${log.vkey} signed two histories\n`,
    stderr: "",
  })
  expect(await check()).toMatchObject({ code: 0, stderr: expect.stringContaining("own word") })
  expect(await check("--key", newNoteSigner().vkey)).toMatchObject({ code: 1 })
  const proof = JSON.parse(readFileSync(path, "utf8"))
  writeFileSync(path, JSON.stringify({ ...proof, consistency: [] }))
  expect(await check("--key", log.vkey)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("nothing"),
  })
  writeFileSync(path, "{")
  expect(await check()).toMatchObject({ code: 3 })
})

test("where nobody signed two histories no file is written, and it is said", async () => {
  const [, copy] = parted(6, 2, 9)
  const tiles = serve(copy)
  writeFileSync(join(tiles, "tile/0/000.p/15"), Buffer.alloc(15 * 32, 7))
  const found = await run("--tiles", tiles, "--key", copy.vkey, "--proof", join(tiles, "proof.json"))
  expect(found).toMatchObject({ code: 1, stderr: expect.stringContaining("can't be proved to others") })
  expect(() => readFileSync(join(tiles, "proof.json"))).toThrow("ENOENT")
})
