// The house, executed: the ladder of imports, the homes of packages, sizes, names and escape hatches.
// The tables below are the documentation of the structure; ARCHITECTURE.md draws them.
import { basename } from "node:path"
import { describe, expect, test } from "vitest"
import { listSources, readSource, type SourceFile } from "./support/source.ts"

/** A room may import from lower rungs only. The public front (index.ts) stands on top. */
const LADDER: Record<string, number> = {
  errors: 0,
  time: 0,
  turn: 0,
  token: 1,
  database: 1,
  ledger: 2,
  remote: 2,
  spool: 2,
  exposure: 2,
  policy: 3,
  keys: 3,
  verifier: 3,
  client: 3,
  task: 4,
  audit: 4,
  guard: 4,
  sidecar: 4,
  console: 5,
  issuer: 6,
  cli: 7,
  index: 8,
}

/** Each external package has one home (or the few named). Node's own modules are free, `process` is not. */
const HOMES: Record<string, readonly string[]> = {
  jose: ["token", "remote", "keys"],
  "better-sqlite3": ["database"],
  pg: ["database/postgres"],
  "drizzle-orm": ["database", "ledger"],
  hono: ["issuer", "console", "guard/hono", "cli/demo"],
  express: ["guard/express"],
  fastify: ["guard/fastify"],
  "@modelcontextprotocol/server": ["guard/mcp"],
  "@hono/node-server": ["cli"],
  "@hono/zod-openapi": ["issuer"],
  zod: ["policy", "issuer"],
  yaml: ["policy"],
  re2js: ["policy"],
  "@marcbachmann/cel-js": ["policy/condition"],
  "fastest-levenshtein": ["policy"],
  "lru-cache": ["spool", "verifier", "task", "issuer"],
  "eventsource-parser": ["verifier", "guard/mcp"],
  pino: ["cli"],
  commander: ["cli"],
  "openid-client": ["cli/sign-in", "remote/code-flow"],
  "@bomb.sh/tab": ["cli"],
  picocolors: ["cli"],
  "cli-table3": ["cli"],
  "@opentelemetry/api": ["verifier", "issuer", "cli"],
  "@opentelemetry/sdk-metrics": ["cli/metrics"],
  "@opentelemetry/exporter-prometheus": ["cli/metrics"],
}

/** What a host loads with the verifier: no drizzle, no policy engine, no server database driver. */
const VERIFIER_MAY_LOAD = [
  /^src\/(errors|time)\.ts$/,
  /^src\/token\//,
  /^src\/database\/(database|file|lock|writer|writer-message|writer-thread)\.ts$/,
  /^src\/ledger\/(merkle|checkpoint)\.ts$/,
  /^src\/remote\//,
  /^src\/spool\//,
  /^src\/verifier\//,
]
const VERIFIER_MAY_NOT_LOAD =
  /^(drizzle-orm|zod|@hono\/zod-openapi|yaml|re2js|pg|commander|openid-client|pino|@opentelemetry\/(sdk|exporter)-\w+)(\/|$)/

const BANNED_FILES = /^(utils?|helpers?|common|shared|types|services?|managers?|misc|lib)(\.ts)?$/
const BANNED_NAMES =
  /^I[A-Z][a-z]|Impl$|Data$|Info$|^(handle|process|manage)([A-Z]|$)|(Manager|Helper|Util|Utils)$/

const src = listSources("src").map(readSource)
const everything = [...src, ...["test", "bench", "scripts"].flatMap(sourcesOf).map(readSource)]

function sourcesOf(folder: string): string[] {
  try {
    return listSources(folder)
  } catch {
    return []
  }
}

const roomOf = (path: string) => path.split("/")[1]?.replace(/\.ts$/, "") ?? ""
const packageOf = (specifier: string) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const external = (file: SourceFile) =>
  file.imports.filter((one) => one.file === undefined && !one.specifier.startsWith("node:"))

describe("the ladder", () => {
  test("every room has a rung", () => {
    expect(src.map((file) => roomOf(file.path)).filter((room) => !(room in LADDER))).toEqual([])
  })

  test("imports go downwards only, never sideways", () => {
    const wrong = src.flatMap((file) =>
      file.imports.flatMap((one) => {
        if (!one.file) return []
        const [from, to] = [roomOf(file.path), roomOf(one.file)]
        return from === to || (LADDER[to] ?? 99) < (LADDER[from] ?? -1) ? [] : [`${file.path} -> ${one.file}`]
      }),
    )
    expect(wrong).toEqual([])
  })

  test("no cycles", () => {
    expect(cycles(src)).toEqual([])
  })

  test("each package is imported from its home", () => {
    const wrong = src.flatMap((file) =>
      external(file).flatMap((one) => {
        const homes = HOMES[packageOf(one.specifier)]
        const home = homes?.some((prefix) => file.path.startsWith(`src/${prefix}`))
        return home ? [] : [`${file.path} imports ${one.specifier}`]
      }),
    )
    expect(wrong).toEqual([])
  })

  test("the environment, the process and the console belong to the command line", () => {
    const wrong = src
      .filter((file) => !file.path.startsWith("src/cli/"))
      .filter((file) => file.globals.has("process") || file.globals.has("console"))
    expect(wrong.map((file) => file.path)).toEqual([])
  })

  test("a verifier loads neither drizzle nor the policy engine nor a server", () => {
    const reached = reach("src/verifier/verifier.ts", src)
    const files = [...reached.files].filter(
      (path) => !VERIFIER_MAY_LOAD.some((allowed) => allowed.test(path)),
    )
    const packages = [...reached.packages].filter((name) => VERIFIER_MAY_NOT_LOAD.test(name))
    expect([...files, ...packages]).toEqual([])
  })
})

describe("the shape of the code", () => {
  test("no file over 300 lines", () => {
    expect(
      everything.filter((file) => file.lines > 300).map((file) => `${file.path}: ${file.lines}`),
    ).toEqual([])
  })

  test("no function over 60 lines", () => {
    const long = src.flatMap((file) =>
      file.functions
        .filter((one) => one.lines > 60)
        .map((one) => `${file.path}:${one.line} ${one.name} ${one.lines}`),
    )
    expect(long).toEqual([])
  })

  test("no any, no double cast, no suppressed check", () => {
    const hatches = /\bas unknown as\b|\bas any\b|@ts-(ignore|expect-error|nocheck)|biome-ignore/
    const wrong = src.filter((file) => file.globals.has("any") || hatches.test(file.text))
    expect(wrong.map((file) => file.path)).toEqual([])
  })

  test("only the public front re-exports", () => {
    const barrels = src.filter(
      (file) => file.path !== "src/index.ts" && file.imports.some((one) => one.reExport),
    )
    expect(barrels.map((file) => file.path)).toEqual([])
    expect(src.filter((file) => file.imports.some((one) => one.exportAll)).map((file) => file.path)).toEqual(
      [],
    )
  })

  test("names are the glossary's, never utils or managers", () => {
    const parts = src
      .flatMap((file) => file.path.split("/").slice(1))
      .filter((part) => BANNED_FILES.test(part))
    const names = src.flatMap((file) =>
      file.declared.filter((name) => BANNED_NAMES.test(name)).map((name) => `${file.path}: ${name}`),
    )
    const spelled = src
      .filter((file) => !/^[a-z0-9-]+\.ts$/.test(basename(file.path)))
      .map((file) => file.path)
    expect([...parts, ...names, ...spelled]).toEqual([])
  })

  test("every file starts with what it decides", () => {
    expect(src.filter((file) => !/^(#!.*\n)?\/\//.test(file.text)).map((file) => file.path)).toEqual([])
  })

  test("framework adapters have 40 lines or fewer", () => {
    const adapters = src.filter((file) => /^src\/guard\/(hono|express|fastify|node|mcp)\.ts$/.test(file.path))
    expect(adapters.length).toBe(5)
    expect(adapters.filter((file) => file.lines > 40).map((file) => `${file.path}: ${file.lines}`)).toEqual(
      [],
    )
  })

  test("framework adapters and mounts touch the verifier's surface only, and of Express, Fastify and the MCP SDK types only", () => {
    const allowed =
      /^src\/(verifier\/(verifier|target|credential|outgoing|challenge)|guard\/(mount|node|mcp(-(answer|list|message|start))?))\.ts$/
    const wrong = src
      .filter((file) => /^src\/guard\/(hono|express|fastify|node|mcp)(-mount)?\.ts$/.test(file.path))
      .flatMap((file) => file.imports.map((one) => ({ ...one, path: file.path })))
      .filter(({ file, specifier, typeOnly }) =>
        file
          ? !allowed.test(file)
          : /^(express|fastify|@modelcontextprotocol\/server)$/.test(specifier) && !typeOnly,
      )
    expect(wrong.map(({ path, specifier }) => `${path} imports ${specifier}`)).toEqual([])
  })
})

function cycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map((file) => [file.path, file.imports.flatMap((one) => one.file ?? [])]))
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: string[]) => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(" -> "))
    if (trail.includes(path) || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

/** What is loaded at run time from one entry: files of ours and packages; types are erased. */
function reach(entry: string, files: readonly SourceFile[]) {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = { files: new Set<string>(), packages: new Set<string>() }
  const visit = (path: string) => {
    const file = byPath.get(path)
    if (!file || reached.files.has(path)) return
    reached.files.add(path)
    for (const one of file.imports.filter((each) => !each.typeOnly)) {
      if (one.file) visit(one.file)
      else reached.packages.add(one.specifier)
    }
  }
  visit(entry)
  return reached
}
