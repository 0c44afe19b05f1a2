// What a fresh machine relies on: `npm ci` under any npm that comes with Node 20 or newer, nothing compiled, and every
// script on the Node that the lock file pins.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { ROOT } from "./support/source.ts"

const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"))
const manifest = read("package.json")
const lock = read("package-lock.json")

test("npm 10 compiles nothing: the lock keeps gypfile, which npm drops whenever it writes the file", () => {
  const hint = 'put "gypfile": false back into the lock file\'s entry'
  expect(lock.packages["node_modules/better-sqlite3"], hint).toMatchObject({ gypfile: false })
  expect(manifest.allowScripts).toMatchObject({ "better-sqlite3": false, node: true })
})

test("the Node of every script is pinned exactly, and is the one that runs this", () => {
  expect(manifest.devDependencies.node).toMatch(/^24\.\d+\.\d+$/)
  expect(process.version).toBe(`v${manifest.devDependencies.node}`)
})

test("every dependency is pinned exactly", () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies }
  expect(
    Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-beta\.\d+)?$/.test(String(version))),
  ).toEqual([])
})
