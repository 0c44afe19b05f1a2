// The image, as far as it can be judged without building it: what it copies is there, what the build and the program need is
// copied, and its command, ports and health check are those of the code.
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { SETTINGS } from "../../src/cli/settings.ts"
import { listSources, ROOT, readSource } from "../support/source.ts"

const read = (path: string) => readFileSync(join(ROOT, path), "utf8")
const manifest = JSON.parse(read("package.json"))
/** `INSTRUCTION arguments`, continued lines joined. */
const instructions = read("Dockerfile")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => [line.split(" ", 1)[0] ?? "", line.slice(line.indexOf(" ") + 1)] as const)
const all = (name: string) => instructions.filter(([one]) => one === name).map(([, rest]) => rest)
const final = instructions.slice(instructions.findLastIndex(([name]) => name === "FROM"))
const inFinal = (name: string) => final.filter(([one]) => one === name).map(([, rest]) => rest)
const copied = (lines: readonly string[]) =>
  lines.filter((line) => !line.startsWith("--from")).flatMap((line) => line.split(" ").slice(0, -1))
const environment = new Map(
  inFinal("ENV").flatMap((line) => line.split(" ").map((pair) => pair.split("=", 2) as [string, string])),
)

test("it runs on the Node that the project is tested on", () => {
  const images = all("FROM").map((line) => line.split(" ")[0])
  const node = `node:${manifest.devDependencies.node}-bookworm-slim`
  expect(images.filter((image) => image !== node && image !== "dependencies")).toEqual([])
  expect(final[0]).toEqual(["FROM", node])
})

describe("what is copied", () => {
  const sources = copied(all("COPY"))

  test.each(sources)("%s is in the repository and not ignored", (path) => {
    expect(existsSync(join(ROOT, path))).toBe(true)
    expect(execFileSync("git", ["ls-files", "--", path], { cwd: ROOT, encoding: "utf8" })).not.toBe("")
    expect(read(".dockerignore").split("\n")).toContain(`!${path}`)
  })

  test("and nothing is let in that is not copied", () => {
    const letIn = read(".dockerignore").match(/^!.*$/gm) ?? []
    expect(letIn.map((line) => line.slice(1)).filter((path) => !sources.includes(path))).toEqual([])
    expect(read(".dockerignore")).toMatch(/^\*$/m)
  })

  test("is what the package ships, beside the built code", () => {
    const shipped: string[] = manifest.files.filter(
      (name: string) => !["dist", "CHANGELOG.md"].includes(name),
    )
    expect(copied(inFinal("COPY"))).toEqual(expect.arrayContaining([...shipped, "package.json"]))
  })

  test("is all that the code reads beside itself", () => {
    const beside = listSources("src")
      .map(readSource)
      .flatMap(({ text }) =>
        [...text.matchAll(/new URL\("\.\.\/\.\.\/([\w.]+)/g)].map(([, name = ""]) => name),
      )
    expect(beside.length).toBeGreaterThan(2)
    expect(beside.filter((name) => !copied(inFinal("COPY")).includes(name))).toEqual([])
  })
})

test("the final stage is not root's and has no package manager", () => {
  expect(inFinal("USER")).toEqual(["1000:1000"])
  expect(inFinal("RUN").join()).toMatch(/rm -rf \/usr\/local\/lib\/node_modules .*npm.*npx/)
  expect(inFinal("RUN").join()).not.toMatch(/npm (ci|install)|apt-get/)
})

test("command, stop signal and places are those of the program", () => {
  expect(JSON.parse(inFinal("ENTRYPOINT")[0] ?? "")).toEqual([
    "node",
    `${inFinal("WORKDIR")[0]}/${manifest.bin.taskmint.replace("./", "")}`,
  ])
  expect(JSON.parse(inFinal("CMD")[0] ?? "")).toEqual(["serve"])
  expect(inFinal("STOPSIGNAL")).toEqual(["SIGTERM"])
  const [volume = ""] = inFinal("VOLUME")
  for (const name of ["TASKMINT_DATABASE", "TASKMINT_SPOOL"])
    expect(environment.get(name)).toMatch(new RegExp(`^(sqlite:)?${volume}/[a-z]+\\.db$`))
})

test("ports are the program's own, and the health check asks the management port", () => {
  const management = environment.get("TASKMINT_MANAGEMENT_PORT")
  expect(inFinal("EXPOSE")[0]?.split(" ")).toEqual([
    SETTINGS.port.standard,
    SETTINGS.guardPort.standard,
    management,
  ])
  const check = JSON.parse((inFinal("HEALTHCHECK")[0] ?? "").replace(/^.*? CMD /, ""))
  expect(check.slice(0, 2)).toEqual(["node", "-e"])
  expect(check[2]).toContain("${process.env.TASKMINT_MANAGEMENT_PORT}/livez")
})
