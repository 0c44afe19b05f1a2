// Our tokens in streams and files: found however they stand there and however a stream was cut, read once, and said to be
// forged where they are.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import zlib from "node:zlib"
import fc from "fast-check"
import { afterAll, describe, expect, test } from "vitest"
import { createFindings, type Finding } from "../../src/exposure/findings.ts"
import { BEGINNING, MOST_BYTES } from "../../src/exposure/needle.ts"
import { sourcesAt, type Unread } from "../../src/exposure/source.ts"
import { createStreamScan, type Hit } from "../../src/exposure/stream.ts"
import { newId } from "../../src/token/id.ts"
import { ownTokenClaims } from "../../src/token/own-token.ts"
import { serviceTokenClaims, signServiceToken } from "../../src/token/service-token.ts"
import { MAX_TOKEN_BYTES, signTaskToken, taskTokenClaims } from "../../src/token/token.ts"
import {
  claims,
  compact,
  eddsa,
  es256,
  ID,
  ISSUER,
  input,
  keyOf,
  NOW,
  stranger,
  validToken,
} from "../support/forge.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-scan-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const token = validToken()
const tokenOf = (jti: string, key = es256) => signTaskToken(taskTokenClaims(input({ jti })), key)

function hitsIn(chunks: readonly Uint8Array[]): Hit[] {
  const hits: Hit[] = []
  const scan = createStreamScan((hit) => void hits.push(hit))
  for (const chunk of chunks) scan.take(Buffer.from(chunk))
  scan.end()
  return hits
}

async function findIn(content: string | Uint8Array, name = "stdin", keys: typeof keyOf | undefined = keyOf) {
  const findings = createFindings({ issuer: ISSUER, keyOf: keys })
  const unread = await findings.look(
    { name, open: () => Readable.from([Buffer.from(content)]) },
    () => undefined,
  )
  return { unread, findings: findings.all(), others: findings.others() }
}

const TASK = { standing: "genuine", jti: ID.tok, task: ID.task, holder: "triage-bot/pod-7f3c" }
const base64 = (text: string) => Buffer.from(text).toString("base64")

describe("a token is found", () => {
  test.each<[string, string | Uint8Array]>([
    ["in a log line", `GET /tickets 401 Bearer ${token}\n`],
    ["in a URL, encoded twice", `/x?next=%2Fy%3Ftoken%3D${token.replaceAll(".", "%252E")}`],
    ["in JSON in JSON", JSON.stringify({ body: JSON.stringify({ text: `\n${token}\n` }) })],
    ["in front of other letters", `${token}_and-more`],
    ["in a base64 text", base64(`authorization: Bearer ${token}\r\n`)],
    ["in a base64 text, a byte later", base64(`authorization:  Bearer ${token}\r\n`)],
    ["in a base64 text, two bytes later", `{"body":"${base64(`authorization:   Bearer ${token}`)}"}`],
    ["in a base64url text", Buffer.from(`{"a":"?>~${token}"}`).toString("base64url")],
    ["in UTF-16", Buffer.from(`\ufeffBearer ${token}\r\n`, "utf16le")],
    ["signed by an EdDSA key", tokenOf(ID.tok, eddsa)],
  ])("%s", async (_, content) => {
    expect((await findIn(content)).findings).toEqual([expect.objectContaining({ ...TASK, found: 1 })])
  })

  const lineage = { actors: [{ agent: "triage-bot", instance: "pod-7f3c" }], txn: ID.task, lineage: [] }
  test.each<[string, string, object]>([
    [
      "an agent's own",
      signTaskToken(
        ownTokenClaims({ ...input(), ...lineage, scope: ["task:renew"], jkt: "A".repeat(43) }),
        es256,
      ),
      { ...TASK, audience: ISSUER },
    ],
    [
      "a caller's service token",
      signServiceToken(
        serviceTokenClaims({
          iss: ISSUER,
          clientId: "audit-team",
          jti: ID.tok,
          iat: NOW,
          scope: ["auditor"],
        }),
        es256,
      ),
      { standing: "genuine", jti: ID.tok, orchestrator: "audit-team", expires: NOW + 300 },
    ],
  ])("%s", async (_, text, said) => {
    const [found] = (await findIn(text)).findings
    expect(found).toMatchObject(said)
  })

  test("and all our tokens begin as is looked for", () => {
    for (const key of [es256, eddsa]) expect(tokenOf(ID.tok, key).startsWith(BEGINNING)).toBe(true)
    expect(BEGINNING.length).toBeGreaterThan(25)
    expect(MOST_BYTES).toBeGreaterThan(2 * MAX_TOKEN_BYTES)
  })
})

describe("what is found is said to be", () => {
  const [header = "", payload = "", signature = ""] = token.split(".")
  const other = taskTokenClaims(input({ clientId: "release-orchestrator", sub: "release-orchestrator" }))
  test.each<[string, string, Partial<Finding>]>([
    ["forged, signed by a stranger", compactBy(stranger), { standing: "forged", jti: ID.tok }],
    [
      "forged, with other claims",
      [header, Buffer.from(other).toString("base64url"), signature].join("."),
      { standing: "forged", orchestrator: "release-orchestrator" },
    ],
    [
      "forged, with another algorithm than its key has",
      compact({ typ: "at+jwt", alg: "EdDSA", kid: es256.kid }, claims()),
      { standing: "forged" },
    ],
    ["forged, in no shape of ours", `${header}.${payload}x.${signature}`, { standing: "forged" }],
    ["cut in its signature", token.slice(0, -1), { standing: "cut", jti: ID.tok, task: ID.task }],
    [
      "cut behind its task",
      token.slice(0, header.length + payload.length - 40),
      { standing: "cut", jti: ID.tok },
    ],
    ["cut before its id", token.slice(0, header.length + 60), { standing: "cut", issuer: ISSUER }],
  ])("%s", async (_, text, said) => {
    const { findings } = await findIn(`a ${text} b`)
    expect(findings).toEqual([expect.objectContaining(said)])
    expect(JSON.stringify(findings)).not.toMatch(/eyJ/)
  })

  function compactBy(key: typeof stranger): string {
    return signTaskToken(taskTokenClaims(input()), { ...key, kid: es256.kid })
  }

  test("unchecked where the key is not to be had, with or without any", async () => {
    for (const keys of [undefined, () => undefined])
      expect((await findIn(tokenOf(ID.tok), "stdin", keys)).findings[0]?.standing).toBe(
        keys ? "unchecked" : "genuine",
      )
    const findings = createFindings({ issuer: ISSUER })
    await findings.look({ name: "x", open: () => Readable.from([Buffer.from(token)]) }, () => undefined)
    expect(findings.all()[0]?.standing).toBe("unchecked")
  })

  test.each([
    ["in its header", header.slice(0, 40)],
    ["behind its header", `${header}.`],
    ["within its issuer's name", token.slice(0, header.length + 20)],
  ])("nothing, cut %s: it does not say whose it was", async (_, text) => {
    expect((await findIn(`a ${text} b`)).findings).toEqual([])
  })

  test("one finding for all that were cut before their ids", async () => {
    const { findings } = await findIn(`${token.slice(0, header.length + 60)}\n`.repeat(9))
    expect(findings).toMatchObject([{ standing: "cut", issuer: ISSUER, found: 9 }])
  })

  test("nobody's where no issuer is asked about and its id is not like ours", async () => {
    const findings = createFindings({})
    const theirs = compact(
      { typ: "at+jwt", alg: "ES256", kid: "x" },
      { iss: "https://login.example", jti: "1" },
    )
    const open = () => Readable.from([Buffer.from(`${theirs} ${token}`)])
    await findings.look({ name: "x", open }, () => undefined)
    expect([findings.all().map(({ jti }) => jti), findings.others()]).toEqual([[ID.tok], 1])
  })

  test("another issuer's, which is counted and no finding", async () => {
    const theirs = signTaskToken(taskTokenClaims(input({ iss: "https://other.example" })), es256)
    expect(await findIn(`${theirs} ${theirs}`)).toMatchObject({ findings: [], others: 2 })
  })
})

test("nothing is found in what only resembles a token", async () => {
  const header = Buffer.from('{"alg":"RS256","typ":"JWT"}').toString("base64url")
  const text = `eyJ eyJhbGci ${header}.${header}.abc ${token.slice(1)} ${BEGINNING.slice(0, -1)} `
  expect((await findIn(text.repeat(50))).findings).toEqual([])
})

test("one finding for each token, with its first places and how many there are", async () => {
  const [a, b] = [newId("tok"), newId("tok")]
  const lines = [`x ${tokenOf(a)}`, "", `y ${tokenOf(b)} ${tokenOf(a)}`, ...Array(9).fill(tokenOf(a))]
  const { findings } = await findIn(lines.join("\n"), "app.log")
  expect(findings.map(({ jti, found }) => [jti, found])).toEqual([
    [a, 11],
    [b, 1],
  ])
  expect(findings[0]?.places).toEqual([1, 3, 4, 5, 6].map((line) => ({ file: "app.log", line })))
})

test("how a stream was cut never changes what is found, nor where", () => {
  const piece = fc.oneof(
    fc.constant(token),
    fc.constant(token.slice(0, 300)),
    fc.constant(base64(` ${token}`)),
    fc.constant(Buffer.from(token, "utf16le").toString("latin1")),
    fc.constant(token.replaceAll(".", "%2E")),
    fc.constant("\n"),
    fc.constant(BEGINNING),
    fc.string({ maxLength: 20 }),
    fc.nat(40_000).map((length) => "-".repeat(length)),
  )
  const story = fc.tuple(
    fc.array(piece, { maxLength: 14 }),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 9 }),
  )
  fc.assert(
    fc.property(story, fc.integer({ min: 1, max: 400_000 }), ([pieces, cuts], padding) => {
      const text = Buffer.from(`${" ".repeat(padding)}${pieces.join("")}`, "latin1")
      const places = [0, ...cuts.map((cut) => Math.floor(cut * text.length)), text.length].sort(
        (a, b) => a - b,
      )
      const chunks = places.slice(1).map((end, index) => text.subarray(places[index], end))
      expect(hitsIn(chunks)).toEqual(hitsIn([text]))
      const line = (offset: number) => text.subarray(0, offset).filter((byte) => byte === 10).length + 1
      for (const hit of hitsIn(chunks)) expect(hit.line).toBe(line(hit.offset))
    }),
    { seed: 8, numRuns: 60 },
  )
})

test("a stream of single bytes is the same stream", () => {
  const text = Buffer.from(`a\n${token}\n${base64(token)}\n`)
  expect(hitsIn([...text].map((byte) => Buffer.of(byte)))).toEqual(hitsIn([text]))
  expect(hitsIn([text]).map(({ line }) => line)).toEqual([2, 3])
})

describe("of files", () => {
  const at = (name: string) => join(folder, name)
  const text = `first\nsecond ${token}\n`
  const zstd: [string, Uint8Array][] =
    "zstdCompressSync" in zlib ? [["log.zst", zlib.zstdCompressSync(text)]] : []

  test.each<[string, Uint8Array]>([
    ["log.gz", zlib.gzipSync(text)],
    ["two-members", Buffer.concat([zlib.gzipSync("first\n"), zlib.gzipSync(text.slice(6))])],
    ["log.br", zlib.brotliCompressSync(text)],
    ...zstd,
  ])("packed ones are unpacked: %s", async (name, bytes) => {
    const { findings, unread } = await findIn(bytes, name)
    expect([unread, findings[0]?.places]).toEqual([undefined, [{ file: name, line: 2 }]])
  })

  test.each<[string, Uint8Array, string]>([
    ["a zip", Buffer.from("504b030414000000", "hex"), "packed with zip"],
    ["an xz", Buffer.from("fd377a585a000004", "hex"), "packed with xz"],
  ])("one that nothing here unpacks is named: %s", async (_, bytes, why) => {
    expect(await findIn(bytes)).toMatchObject({ unread: why, findings: [] })
  })

  test("of one that is damaged, what stands before is found and the rest is told of", async () => {
    const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7919) % 251))
    const whole = zlib.gzipSync(Buffer.concat([Buffer.from(text), noise]))
    const { unread, findings } = await findIn(whole.subarray(0, whole.length - 500))
    expect(unread).toBe("Z_BUF_ERROR")
    expect(findings).toHaveLength(1)
  })

  test("a folder is walked in the order of names, links are left out, and each that can't be read is named", async () => {
    mkdirSync(at("logs/old"), { recursive: true })
    for (const name of ["logs/b", "logs/a", "logs/old/c"]) writeFileSync(at(name), text)
    symlinkSync(at("logs"), at("logs/z"))
    const told: string[] = []
    for await (const one of sourcesAt(at("logs"))) told.push(nameOf(one))
    for await (const one of sourcesAt(at("nowhere"))) told.push(nameOf(one))
    expect(told).toEqual(["logs/a", "logs/b", "logs/old/c", "logs/z: a link", "nowhere: ENOENT"])
  })

  const nameOf = (one: { readonly name: string } | Unread) =>
    `${one.name.slice(folder.length + 1)}${"why" in one ? `: ${one.why}` : ""}`
})
