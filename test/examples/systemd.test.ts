// The systemd unit, held against systemd itself where it is there, and against the program.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { EXIT } from "../../src/cli/exit.ts"
import { MAX_CONNECTIONS } from "../../src/cli/server.ts"
import { ROOT } from "../support/source.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-systemd-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const text = readFileSync(join(ROOT, "examples/systemd/taskmint.service"), "utf8")
const valuesOf = (key: string) =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value)
const HAS_SYSTEMD = spawnSync("systemd-analyze", ["--version"]).status === 0

/** As it stands, but for the program, which is not installed here. */
function analyze(...args: readonly string[]) {
  const path = join(folder, "taskmint.service")
  writeFileSync(path, text.replace("/usr/local/bin/taskmint", process.execPath))
  return spawnSync("systemd-analyze", [...args, path], { encoding: "utf8" })
}

test("systemd takes every line of it, and finds it well shut in", () => {
  if (!HAS_SYSTEMD) return console.warn("NOT TESTED HERE: the systemd unit (systemd-analyze is missing)")
  const verified = analyze("verify")
  expect([verified.status, verified.stderr]).toEqual([0, ""])
  const judged = analyze("security", "--offline=yes", "--threshold=20")
  expect([judged.status, judged.stdout]).toEqual([0, expect.stringContaining("exposure level")])
})

test("its key comes as a credential, from where the setting says", () => {
  const [name] = valuesOf("LoadCredential")[0]?.split(":") ?? []
  expect(valuesOf("Environment")).toContain(`TASKMINT_KEY_ENCRYPTION_KEY_FILE=%d/${name}`)
})

test("its data lies in its own folder", () => {
  const [state] = valuesOf("StateDirectory")
  expect(valuesOf("Environment")).toContain(`TASKMINT_DATABASE=sqlite:/var/lib/${state}/taskmint.db`)
})

test("what can't be helped by starting again is not started again, and ending gets its ten seconds", () => {
  expect(valuesOf("RestartPreventExitStatus")).toEqual([`${EXIT.no} ${EXIT.wrongUse}`])
  expect(Number(valuesOf("TimeoutStopSec")[0])).toBeGreaterThan(10)
  expect(valuesOf("ExecStart")[0]).toMatch(/taskmint serve$/)
  expect(valuesOf("ExecReload")[0]).toContain("-HUP")
})

test("there are descriptors for all connections, and files", () => {
  expect(Number(valuesOf("LimitNOFILE")[0])).toBeGreaterThanOrEqual(2 * MAX_CONNECTIONS)
})
