// What takes minutes or hours is asked for by name: a wrong word is told apart at once, with what there is, and runs nothing.
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 })
  return { status, stdout, stderr }
}

const SCRIPTS = [
  ["scripts/evidence.ts", "kills", "--kills"],
  ["bench/main.ts", "verifier", "--rounds"],
] as const

/** What each says when it is asked, once for all that is looked for in it. */
const helps = new Map<string, ReturnType<typeof run>>()
function helpOf(script: string) {
  const help = helps.get(script) ?? run(script, "--help")
  helps.set(script, help)
  return help
}

test.each(SCRIPTS)("%s says what it runs, and how often", (script, name, option) => {
  const { status, stdout } = helpOf(script)
  expect(status).toBe(0)
  expect(stdout).toContain(name)
  expect(stdout).toContain(`${option} N`)
})

test.each(SCRIPTS)("%s runs nothing for what it does not know", (script, name, option) => {
  const { status, stdout, stderr } = run(script, name, option, "some")
  expect([status, stdout]).toEqual([2, ""])
  expect(stderr).toContain(`${option} N`)
})

const PAGES = ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"].concat(
  readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
)

test.each(SCRIPTS)("%s has everything that a page says can be run", (script) => {
  const command = script === "bench/main.ts" ? "bench" : "evidence"
  const { stdout } = helpOf(script)
  const named = PAGES.flatMap((page) => [
    ...readFileSync(page, "utf8").matchAll(RegExp(`npm run ${command} -- ([a-z]+)`, "g")),
  ]).map(([, name = ""]) => name)
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((name) => !RegExp(`\\b${name}\\b`).test(stdout))).toEqual([])
})

/** How both read their words, without all that they could run. */
const READING = `
  import { readLongRun } from "./scripts/long-run.ts"
  console.log(JSON.stringify(readLongRun("--times N", ["long", "longer"], { times: 3 })))`
const read = (...words: string[]) => run("--input-type=module-typescript", "-e", READING, "--", ...words)

test.each([[["nothing"]], [["--nothing"]], [["long", "--times"]], [["long", "--times", "0"]]])(
  "%j is nothing that could be run",
  (words) => {
    const { status, stdout, stderr } = read(...words)
    expect([status, stdout]).toEqual([2, ""])
    expect(stderr).toContain("--times N")
  },
)

test("what is named is run, so many times, and all of them where nothing is", () => {
  expect(JSON.parse(read("long", "--times", "5").stdout)).toEqual({ names: ["long"], numbers: { times: 5 } })
  expect(JSON.parse(read().stdout)).toEqual({ names: ["long", "longer"], numbers: { times: 3 } })
})
