// What `taskmint scan` does to a file, against a plain search of the same file for the beginning of a token: the search tells
// nothing of lines, encodings or claims. Rates are by the processor's time, of all threads together, so that they are those of
// one core, whatever else the machine does.
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { createFindings } from "../src/exposure/findings.ts"
import { BEGINNING } from "../src/exposure/needle.ts"
import { sourcesAt } from "../src/exposure/source.ts"
import { newId } from "../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../src/token/signature.ts"
import { signTaskToken, taskTokenClaims } from "../src/token/token.ts"
import { median } from "./machine.ts"
import { type Measure, printMeasures, type Settings } from "./table.ts"

const MEGABYTES = 256
/** One of so many lines holds a token; each stands in four lines. */
const LINES_A_TOKEN = 2000
const LEAST_PER_SECOND = 100

const ISSUER = "https://taskmint.internal"
const key = importSigningKey(generatePrivateJwk("ES256"))
const verification = publicHalf(key)

export async function benchScan({ rounds }: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-scan-"))
  try {
    const log = join(folder, "app.log")
    const tokens = writeLog(log)
    const packed = `${log}.gz`
    await pipeline(createReadStream(log), createGzip({ level: 6 }), createWriteStream(packed))
    const megabytes = statSync(log).size / 1e6
    const rates = { scan: [] as number[], plain: [] as number[], packed: [] as number[] }
    for (let round = -1; round < rounds; round++) {
      const measured = {
        plain: await rateOf(megabytes, () => searchPlainly(log)),
        scan: await rateOf(megabytes, () => scan(log, tokens)),
        packed: await rateOf(megabytes, () => scan(packed, tokens)),
      }
      if (round >= 0)
        for (const name of ["scan", "plain", "packed"] as const) rates[name].push(measured[name])
    }
    const title = `scanning a log of ${Math.round(megabytes)} MB with ${tokens} tokens, median of ${rounds} interleaved rounds`
    return printMeasures(title, measuresOf(median(rates.scan), median(rates.plain), median(rates.packed)))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function measuresOf(scanned: number, plain: number, packed: number): Measure[] {
  const figure = (rate: number) => `${Math.round(rate)} MB/s`
  const against = `of ${LEAST_PER_SECOND} MB/s`
  return [
    { what: "a plain search for the beginning", figure: figure(plain) },
    {
      what: "taskmint scan",
      figure: figure(scanned),
      ratio: scanned / LEAST_PER_SECOND,
      against,
      atLeast: 1,
    },
    { what: "  beside the plain search", figure: "", ratio: scanned / plain, against: "of its rate" },
    { what: "taskmint scan, of gzip, as unpacked", figure: figure(packed) },
  ]
}

async function rateOf(megabytes: number, work: () => Promise<void>): Promise<number> {
  const began = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(began)
  return (megabytes * 1e6) / (user + system)
}

async function searchPlainly(path: string): Promise<void> {
  const needle = Buffer.from(BEGINNING)
  let found = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    for (let at = chunk.indexOf(needle); at >= 0; at = chunk.indexOf(needle, at + 1)) found += 1
  if (found === 0) throw new Error("the search found nothing")
}

async function scan(path: string, tokens: number): Promise<void> {
  const findings = createFindings({
    issuer: ISSUER,
    keyOf: (kid) => (kid === key.kid ? verification : undefined),
  })
  for await (const source of sourcesAt(path)) {
    const unread = "why" in source ? source.why : await findings.look(source, () => undefined)
    if (unread !== undefined) throw new Error(unread)
  }
  const genuine = findings.all().filter(({ standing }) => standing === "genuine")
  if (genuine.length !== tokens) throw new Error(`${genuine.length} of ${tokens} tokens were found`)
}

/** Lines as an access log has them, some with a JWT of others. Answers how many tokens of ours are in it. */
function writeLog(path: string): number {
  const file = openSync(path, "w")
  const theirs = `${Buffer.from('{"alg":"RS256","typ":"JWT"}').toString("base64url")}.${"A".repeat(400)}.${"B".repeat(342)}`
  let [tokens, token] = [0, ""]
  let lines: string[] = []
  for (let size = 0, line = 0; size < MEGABYTES * 1e6; line += 1) {
    if (line % (LINES_A_TOKEN * 4) === 0) {
      token = mint()
      tokens += 1
    }
    const credential = line % LINES_A_TOKEN === 0 ? token : line % 50 === 0 ? theirs : "-"
    const text = `2026-03-01T14:20:${line % 60}Z INFO request id=${newId("use")} path=/tickets/SUP-${line} status=200 auth="${credential}"\n`
    lines.push(text)
    size += text.length
    if (lines.length === 10_000) {
      writeSync(file, lines.join(""))
      lines = []
    }
  }
  writeSync(file, lines.join(""))
  closeSync(file)
  return tokens
}

function mint(): string {
  const iat = Math.floor(Date.now() / 1000)
  const api = "https://tickets.internal.example"
  const grant = {
    api,
    operations: ["tickets:read"],
    resources: [["tickets", "SUP-1042"]],
    rule: "support.yaml#/tasks/triage-ticket/grants/0",
  }
  const claims = taskTokenClaims({
    iss: ISSUER,
    aud: api,
    iat,
    exp: iat + 600,
    jti: newId("tok"),
    clientId: "support-orchestrator",
    sub: "support-orchestrator",
    actors: [{ agent: "triage-bot", instance: "pod-7f3c" }],
    txn: newId("task"),
    lineage: [],
    grants: [grant],
    policy: `sha-256:${"A".repeat(43)}`,
  })
  return signTaskToken(claims, key)
}
