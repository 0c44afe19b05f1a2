// What is read of a packed file: all of it, however many pieces it was packed in and however it was cut, or the word that it
// was not.
import { Readable } from "node:stream"
import zlib from "node:zlib"
import { describe, expect, test } from "vitest"
import { readSource } from "../../src/exposure/source.ts"

const CUTS = [1, 7, 64, 10_000]

/** By the size of the pieces it came in: what was taken, and why not all. */
async function readCut(name: string, bytes: Buffer, size: number) {
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
  const taken: Buffer[] = []
  let bytesRead = 0
  const why = await readSource(
    { name, open: () => Readable.from(chunks) },
    (chunk) => void taken.push(chunk),
    (more) => {
      bytesRead += more
    },
  )
  return { text: Buffer.concat(taken).toString(), why, bytesRead }
}

const gzip = (text: string) => zlib.gzipSync(text)
const brotli = (text: string) => zlib.brotliCompressSync(text)
const zeros = (length: number) => Buffer.alloc(length)
const FIRST = "first ".repeat(5)
/** More than any stream keeps for who is to read it. */
const LONG = "long ".repeat(500_000)

const zstd = (text: string) => zlib.zstdCompressSync(text)
/** RFC 8878 section 3.1.2: bytes that are no content. */
const skippable = (length: number) => {
  const header = Buffer.from("5a2a4d1800000000", "hex")
  header.writeUInt32LE(length, 4)
  return Buffer.concat([header, Buffer.alloc(length, "x")])
}
const hasZstd = "zstdCompressSync" in zlib

type Row = readonly [what: string, name: string, parts: () => readonly Buffer[], expected: string]

const WHOLE: readonly Row[] = [
  ["gzip in two members", "a", () => [gzip(FIRST), gzip("second")], `${FIRST}second`],
  ["gzip and zeros", "a", () => [gzip(FIRST), zeros(700)], FIRST],
  ["gzip, zeros, gzip", "a", () => [gzip(FIRST), zeros(512), gzip("second"), zeros(9)], `${FIRST}second`],
  ["gzip that unpacks to much, zeros, gzip", "a", () => [gzip(LONG), zeros(9), gzip(FIRST)], LONG + FIRST],
  ["brotli", "a.br", () => [brotli(LONG)], LONG],
]
const WHOLE_ZSTD: readonly Row[] = [
  ["zstd in three frames", "a", () => [zstd(FIRST), zstd("second "), zstd("third")], `${FIRST}second third`],
  ["zstd in frames of nothing", "a", () => [zstd(""), zstd(""), zstd("third"), zstd("")], "third"],
  ["zstd behind a skippable frame", "a", () => [skippable(4), zstd(FIRST)], FIRST],
  ["zstd that unpacks to much, twice", "a", () => [zstd(LONG), zstd(LONG), zstd(FIRST)], LONG + LONG + FIRST],
  [
    "zstd between skippable frames",
    "a",
    () => [zstd(FIRST), skippable(90), zstd("second"), skippable(0)],
    `${FIRST}second`,
  ],
  [
    "zstd in 300 frames",
    "a",
    () => Array.from({ length: 300 }, (_, index) => zstd(`${index} `)),
    Array.from({ length: 300 }, (_, index) => `${index} `).join(""),
  ],
]

describe.each(CUTS)("in pieces of %i bytes", (size) => {
  test.each([...WHOLE, ...(hasZstd ? WHOLE_ZSTD : [])])("all is read of %s", async (_, name, parts, text) => {
    const bytes = Buffer.concat([...parts()])
    expect(await readCut(name, bytes, size)).toEqual({ text, why: undefined, bytesRead: bytes.length })
  })

  const GAPS: readonly Row[] = [
    ["gzip and other bytes", "a", () => [gzip(FIRST), Buffer.from("plain second")], "Z_DATA_ERROR"],
    ["gzip, zeros, other bytes", "a", () => [gzip(FIRST), zeros(99), Buffer.from("second")], "Z_DATA_ERROR"],
    ["gzip and half a member", "a", () => [gzip(FIRST), gzip("second").subarray(0, 15)], "Z_BUF_ERROR"],
    [
      "gzip, zeros, half a member",
      "a",
      () => [gzip(FIRST), zeros(9), gzip("s").subarray(0, 5)],
      "Z_BUF_ERROR",
    ],
    [
      "brotli and other bytes",
      "a.br",
      () => [brotli(FIRST), Buffer.from("plain second")],
      "more behind its end",
    ],
    ["brotli that unpacks to much, twice", "a.br", () => [brotli(LONG), brotli(LONG)], "more behind its end"],
    ["brotli twice", "a.br", () => [brotli(FIRST), brotli("second")], "more behind its end"],
    ["brotli and zeros", "a.br", () => [brotli(FIRST), zeros(2)], "more behind its end"],
  ]
  const GAPS_ZSTD: readonly Row[] = [
    [
      "zstd and other bytes",
      "a",
      () => [zstd(FIRST), Buffer.from("plain second")],
      "ZSTD_error_prefix_unknown",
    ],
    ["zstd and zeros", "a", () => [zstd(FIRST), zeros(20)], "ZSTD_error_prefix_unknown"],
    ["zstd and half a frame", "a", () => [zstd(FIRST), zstd("second").subarray(0, 9)], "Z_BUF_ERROR"],
    ["zstd and a few bytes", "a", () => [zstd(FIRST), Buffer.from("se")], "ZSTD_error_prefix_unknown"],
  ]
  test.each([...GAPS, ...(hasZstd ? GAPS_ZSTD : [])])("it is told of %s", async (_, name, parts, why) => {
    expect((await readCut(name, Buffer.concat([...parts()]), size)).why).toBe(why)
  })
})
