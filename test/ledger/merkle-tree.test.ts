// The tree and its proofs, held against the definition of RFC 6962 and against its known vectors.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  consistencyPieces,
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  extend,
  type Grown,
  inclusionPieces,
  joinPiece,
  leafHash,
  nodeHash,
  type Piece,
  provesConsistency,
  provesInclusion,
  rootOf,
  type Subtree,
} from "../../src/ledger/merkle.ts"
import { slowLeaf, slowPath, slowProof, slowRoot } from "../support/slow-tree.ts"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const hexes = (all: readonly Uint8Array[]) => all.map(hex)
const leaves = Array.from({ length: 300 }, (_each, index) => slowLeaf(Buffer.from(`entry ${index}`)))
const first = (size: number) => leaves.slice(0, size)
const root = (size: number) => slowRoot(first(size))

/** What a proof asks for, from full subtrees as the definition makes them. */
const resolve = (pieces: readonly Piece[]) =>
  pieces.map((piece) =>
    joinPiece(
      piece.map(({ level, index }: Subtree) =>
        slowRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
      ),
    ),
  )

/** The test data of the Certificate Transparency project, and the roots of its first entries. */
const CT_ENTRIES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
]
const CT_ROOTS: Readonly<Record<number, string>> = {
  0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

describe("roots", () => {
  test.each(Object.entries(CT_ROOTS))("of the first %s entries of the known vectors", (size, expected) => {
    const known = CT_ENTRIES.slice(0, Number(size)).map((entry) => leafHash(Buffer.from(entry, "hex")))
    expect(hex(rootOf(extend(EMPTY_FRONTIER, known)))).toBe(expected)
    expect(hex(slowRoot(known))).toBe(expected)
  })

  test("of no entries is the hash of nothing", () => {
    expect(hex(EMPTY_ROOT)).toBe(CT_ROOTS[0])
  })

  test("are the definition's, however the leaves came", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 8 }), (steps) => {
        let frontier = EMPTY_FRONTIER
        for (const step of steps) {
          frontier = extend(frontier, leaves.slice(frontier.size, frontier.size + step))
          expect(hex(rootOf(frontier))).toBe(hex(root(frontier.size)))
        }
      }),
      { numRuns: 30 },
    )
  })

  test("every full subtree is told of once, when its last leaf comes", () => {
    const told: Grown[] = []
    extend(EMPTY_FRONTIER, leaves, (one) => told.push(one))
    const wanted = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((level) =>
      Array.from({ length: Math.floor(leaves.length / 2 ** level) }, (_each, index) => `${level} ${index}`),
    )
    expect(told.map(({ level, index }) => `${level} ${index}`).sort()).toEqual(wanted.sort())
    for (const { level, index, hash } of told)
      expect(hex(hash)).toBe(hex(slowRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))))
  })

  test("a frontier that can't be one of its size is refused", () => {
    expect(() => extend({ size: 3, hashes: [EMPTY_ROOT] }, leaves)).toThrow(TypeError)
  })
})

describe("proofs", () => {
  const size = fc.integer({ min: 1, max: leaves.length })

  test("of inclusion are the definition's, and hold", () => {
    fc.assert(
      fc.property(size, fc.nat(), (size, any) => {
        const index = any % size
        const proof = resolve(inclusionPieces(index, size))
        expect(hexes(proof)).toEqual(hexes(slowPath(index, first(size))))
        const leaf = leaves[index] ?? EMPTY_ROOT
        expect(provesInclusion({ index, size, leaf, root: root(size) }, proof)).toBe(true)
      }),
      { numRuns: 150 },
    )
  })

  test("of consistency are the definition's, and hold", () => {
    fc.assert(
      fc.property(size, fc.nat(), (size, any) => {
        const older = (any % size) + 1
        const proof = resolve(consistencyPieces(older, size))
        expect(hexes(proof)).toEqual(hexes(slowProof(older, first(size))))
        expect(provesConsistency({ size: older, root: root(older) }, { size, root: root(size) }, proof)).toBe(
          true,
        )
      }),
      { numRuns: 150 },
    )
  })

  test("H09: every change of a proof, its places or its hashes is found", () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), fc.nat({ max: 255 }), (size, any, which, bit) => {
        const index = any % size
        const leaf = leaves[index] ?? EMPTY_ROOT
        const proof = slowPath(index, first(size))
        const claim = { index, size, leaf, root: root(size) }
        for (const changed of deformed(proof, which, bit)) expect(provesInclusion(claim, changed)).toBe(false)
        for (const other of [index + 1, index - 1, size, -1, 0.5])
          if (other !== index) expect(provesInclusion({ ...claim, index: other }, proof)).toBe(false)
        expect(provesInclusion({ ...claim, leaf: flip(leaf, bit) }, proof)).toBe(false)

        const older = { size: index + 1, root: root(index + 1) }
        const newer = { size, root: root(size) }
        const continued = slowProof(older.size, first(size))
        for (const changed of deformed(continued, which, bit))
          expect(provesConsistency(older, newer, changed)).toBe(false)
        expect(provesConsistency({ ...older, root: flip(older.root, bit) }, newer, continued)).toBe(false)
        expect(provesConsistency(older, { ...newer, root: flip(newer.root, bit) }, continued)).toBe(false)
      }),
      { numRuns: 80 },
    )
  })

  const flip = (hash: Uint8Array, bit: number): Buffer => {
    const changed = Buffer.from(hash)
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    return changed
  }
  function deformed(proof: readonly Uint8Array[], which: number, bit: number): Uint8Array[][] {
    const at = proof.length === 0 ? 0 : which % proof.length
    const victim = proof[at]
    const longer = [...proof, EMPTY_ROOT]
    if (!victim) return [longer]
    const replaced = (...by: Uint8Array[]) => [...proof.slice(0, at), ...by, ...proof.slice(at + 1)]
    return [longer, proof.slice(0, -1), replaced(), replaced(flip(victim, bit)), replaced(victim.subarray(1))]
  }

  const [one, two] = [root(1), root(2)]
  test.each<[string, boolean, () => boolean]>([
    [
      "the empty tree is continued by any, without a proof",
      true,
      () => provesConsistency({ size: 0, root: EMPTY_ROOT }, { size: 2, root: two }, []),
    ],
    [
      "the empty tree has one root",
      false,
      () => provesConsistency({ size: 0, root: one }, { size: 2, root: two }, []),
    ],
    [
      "the empty tree needs no proof",
      false,
      () => provesConsistency({ size: 0, root: EMPTY_ROOT }, { size: 2, root: two }, [one]),
    ],
    [
      "a tree continues itself",
      true,
      () => provesConsistency({ size: 1, root: one }, { size: 1, root: one }, []),
    ],
    [
      "two roots of one size contradict each other",
      false,
      () => provesConsistency({ size: 1, root: one }, { size: 1, root: two }, []),
    ],
    [
      "no tree continues a larger one",
      false,
      () => provesConsistency({ size: 2, root: two }, { size: 1, root: one }, []),
    ],
    [
      "the only leaf is the root",
      true,
      () => provesInclusion({ index: 0, size: 1, leaf: one, root: one }, []),
    ],
    [
      "nothing is in the empty tree",
      false,
      () => provesInclusion({ index: 0, size: 0, leaf: one, root: EMPTY_ROOT }, []),
    ],
    [
      "a leaf without bytes is one",
      true,
      () =>
        provesInclusion({ index: 0, size: 1, leaf: leafHash(Buffer.of()), root: leafHash(Buffer.of()) }, []),
    ],
  ])("H09: %s", (_name, expected, judge) => {
    expect(judge()).toBe(expected)
  })

  test.each([() => inclusionPieces(3, 3), () => inclusionPieces(-1, 3), () => consistencyPieces(4, 3)])(
    "none is made of what can't be",
    (make) => {
      expect(make).toThrow(TypeError)
    },
  )

  test("H11: an inner node is never taken for a leaf, nor two leaves for one", () => {
    const [a = EMPTY_ROOT, b = EMPTY_ROOT] = leaves
    expect(hex(leafHash(Buffer.concat([a, b])))).not.toBe(hex(nodeHash(a, b)))
    expect(
      provesInclusion({ index: 0, size: 1, leaf: leafHash(Buffer.concat([a, b])), root: root(2) }, []),
    ).toBe(false)
  })
})
