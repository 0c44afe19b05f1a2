// What takes minutes or hours is asked for by name: a wrong word is told apart at once, with what there is, and runs nothing.
import { spawnSync } from "node:child_process"
import { expect, test } from "vitest"

const run = (script: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
    timeout: 30_000,
  })
  return { status, stdout, stderr }
}

const SCRIPTS = [
  ["scripts/evidence.ts", "kills", "--kills"],
  ["bench/main.ts", "verifier", "--rounds"],
] as const

test.each(SCRIPTS)("%s says what it runs, and how often", (script, name, option) => {
  const { status, stdout } = run(script, "--help")
  expect(status).toBe(0)
  expect(stdout).toContain(`${name}`)
  expect(stdout).toContain(`${option} N`)
})

test.each(SCRIPTS)("%s runs nothing for what it does not know", (script, name, option) => {
  for (const wrong of [
    ["nothing"],
    ["--nothing"],
    [name, option],
    [name, option, "some"],
    [name, option, "0"],
  ]) {
    const { status, stdout, stderr } = run(script, ...wrong)
    expect([status, stdout], wrong.join(" ")).toEqual([2, ""])
    expect(stderr).toContain(`${option} N`)
  }
})
