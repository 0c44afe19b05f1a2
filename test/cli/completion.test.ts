// A shell is told how a command line goes on: commands, options, their values, and where names of files go.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test, vi } from "vitest"
import { createProgram } from "../../src/cli/program.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { suggestionsFor } from "../../src/cli/suggestions.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { runCli, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 60_000 })

const program = await createProgram({
  terminal: createTerminal(process.stdout, process.stderr),
  settings: createSettings({}, "taskmint"),
})

test.each<[line: string, words: readonly string[], files: boolean]>([
  ["tas", ["task"], false],
  ["help tok", ["token"], false],
  ["help task st", ["start", "statement"], false],
  ["task help st", ["start", "statement"], false],
  ["task list --stat", ["--state"], false],
  ["task list --state p", ["paused"], false],
  ["task list --state=p", ["paused"], false],
  ["task list --state = p", ["paused"], false],
  [
    "task list --state =",
    ["active", "paused", "completed", "failed", "canceled", "expired", "revoked"],
    false,
  ],
  ["approval list --state g", ["granted"], false],
  ["ledger query --kind policy.l", ["policy.loaded"], false],
  ["ledger query --outcome a", ["allowed"], false],
  ["ledger query --agent ", [], false],
  ["revoke inst", ["instance"], false],
  ["revoke instance ", [], false],
  ["completion z", ["zsh"], false],
  ["scan ", [], true],
  ["scan one ", [], true],
  ["policy check ", [], true],
  ["policy diff git:main ", [], true],
  ["guard --routes ", [], true],
  ["task start triage-ticket --handover ", [], true],
  ["session --socket ", [], true],
  ["session --quiet -- py", [], true],
  ["no-such ", [], false],
])("taskmint %s", (line, words, files) => {
  const told = suggestionsFor(program, line.split(" "))
  expect([told.words.map(([word]) => word), told.files]).toEqual([words, files])
})

test("every command is suggested, and none that is hidden", () => {
  const told = suggestionsFor(program, [""]).words.map(([word]) => word)
  expect(told).toEqual(expect.arrayContaining(["serve", "task", "completion", "help"]))
  expect(told).not.toContain("complete")
})

test("bash completes without its completion package, may read the script again, and runs nothing that is typed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-bash-"))
  const { stdout } = await runCli(["completion", "bash"])
  writeFileSync(join(folder, "script"), stdout)
  const line = `
    set -o nounset; cd "${folder}"; source ./script; source ./script
    taskmint() { "${process.execPath}" "${join(ROOT, "src/cli/main.ts")}" "$@"; }
    ask() { COMP_WORDS=(taskmint "$@"); COMP_CWORD=$#; __taskmint_complete; echo "$* > \${COMPREPLY[*]-}"; }
    ask task st; ask task list --state p; ask scan '$(touch ran)' ''; complete -p taskmint; ls`
  writeFileSync(join(folder, "line"), line)
  const ended = await startShell(`exec bash --norc --noprofile "${folder}/line"`).ended
  rmSync(folder, { recursive: true })
  expect(ended).toEqual({
    code: 0,
    stderr: "",
    stdout: `task st > start statement
task list --state p > paused
scan $(touch ran)  > 
complete -o default -F __taskmint_complete taskmint
line
script
`,
  })
})
