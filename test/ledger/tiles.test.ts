// Paths of tiles in their one spelling, and what they hold.
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { unbundle } from "../../src/ledger/bundle.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { readTile, readTilePath, writeTilePath } from "../../src/ledger/tiles.ts"
import { slowRoot } from "../support/slow-tree.ts"
import { createWorld, type World } from "../support/world.ts"

describe("a path", () => {
  test.each([
    ["0/000", { level: 0, place: 0, width: 256 }],
    ["1/x001/234", { level: 1, place: 1234, width: 256 }],
    ["63/x001/x234/067", { level: 63, place: 1_234_067, width: 256 }],
    ["0/x001/234.p/8", { level: 0, place: 1234, width: 8 }],
    ["entries/005.p/255", { level: "entries", place: 5, width: 255 }],
  ] as const)("%s is read, and written the same", (path, found) => {
    expect(readTilePath(path)).toEqual(found)
    expect(writeTilePath(found)).toBe(path)
  })

  test.each([
    "",
    "0",
    "0/",
    "0/0",
    "0/00",
    "0/0000",
    "0/1234",
    "0/001/234",
    "0/x001",
    "0/x000/001",
    "00/000",
    "64/000",
    "-1/000",
    "0/000.p/0",
    "0/000.p/256",
    "0/000.p/08",
    "0/000.p",
    "0/000.p/8/",
    "0/000/",
    "/0/000",
    "entries/x1/000",
    "data/000",
    "0/x999/x999/x999/x999/x999/999",
    "0/%30%30%30",
    "0/000\n",
  ])("%j is none", (path) => {
    expect(readTilePath(path)).toBeUndefined()
  })
})

describe("a tile", () => {
  let world: World
  let size = 0
  const tile = (path: string, of = size) => {
    const read = readTilePath(path)
    return read ? readTile(world.engine, of, read) : undefined
  }
  beforeAll(async () => {
    world = await createWorld()
    const at = world.ledger.at()
    await world.ledger.append(
      Array.from({ length: 600 }, (_each, n) => ({ kind: "access.read", at, body: { n } })),
    )
    await world.sequence.advance()
    size = (await world.sequence.newest())?.size ?? 0
  })
  afterAll(async () => {
    await world.leave()
  })

  test("of entries holds the bytes that the tile of hashes has the hashes of", async () => {
    const last = `.p/${size - 512}`
    for (const [path, width] of [
      ["000", 256],
      ["001", 256],
      [`002${last}`, size - 512],
      ["001.p/7", 7],
    ] as const) {
      const entries = unbundle((await tile(`entries/${path}`)) ?? Buffer.of(), width) ?? []
      const hashes = Buffer.concat(entries.map(leafHash))
      expect(entries).toHaveLength(width)
      expect(await tile(`0/${path}`)).toEqual(hashes)
    }
  })

  test("of a higher level holds the roots of whole tiles below it", async () => {
    const roots = await Promise.all(
      ["0/000", "0/001"].map(async (path) => slowRoot(hashesIn(await tile(path)))),
    )
    expect(await tile("1/000.p/2")).toEqual(Buffer.concat(roots))
  })

  const hashesIn = (bytes: Uint8Array | undefined) =>
    Array.from({ length: (bytes?.length ?? 0) / 32 }, (_each, at) =>
      Buffer.from(bytes ?? []).subarray(32 * at, 32 * at + 32),
    )

  test.each(["0/002", "1/000", "1/000.p/3", "2/000.p/1", "0/003.p/1", "entries/002", "0/x001/000"])(
    "%s is not there yet",
    async (path) => {
      expect(await tile(path)).toBeUndefined()
    },
  )

  test("beyond what was signed is not there", async () => {
    expect(await tile("0/001.p/8", 256 + 7)).toBeUndefined()
    expect(await tile("0/001.p/7", 256 + 7)).toBeDefined()
  })
})

test.each([
  ["cut", -1],
  ["with a byte more", 1],
])("H12: a bundle that is %s is none", (_how, by) => {
  const whole = Buffer.concat([Buffer.of(0, 1, 65), Buffer.of(0, 2, 66, 67)])
  expect(unbundle(whole, 2)?.map(String)).toEqual(["A", "BC"])
  expect(unbundle(by < 0 ? whole.subarray(0, by) : Buffer.concat([whole, Buffer.of(0)]), 2)).toBeUndefined()
  expect(unbundle(whole, 1)).toBeUndefined()
  expect(unbundle(whole, 3)).toBeUndefined()
})
