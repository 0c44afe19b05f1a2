// `--help` of every command: that it is there, and that it says what the command needs to be given.
import type { Command } from "commander"
import { describe, expect, test, vi } from "vitest"
import { createProgram } from "../../src/cli/program.ts"
import { createSettings, SETTINGS } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { runCli } from "../support/command-line.ts"

// Some steps are a process of their own.
vi.setConfig({ testTimeout: 60_000 })

const COMMANDS = [
  "serve",
  "demo",
  "init",
  "policy check",
  "policy inventory",
  "policy test",
  "policy explain",
  "credential new",
  "task start",
  "task list",
  "task show",
  "task pause",
  "task resume",
  "task complete",
  "task fail",
  "task cancel",
  "session",
  "approval list",
  "approval grant",
  "approval deny",
  "revoke",
  "lock list",
  "lock lift",
  "verifier list",
  "verifier forget",
  "keys list",
  "keys rotate",
  "keys rewrap",
  "ledger query",
  "ledger copy",
  "token get",
  "token inspect",
  "canary",
  "drill leak",
  "backup",
  "completion",
]

/** Those that do something, by all their words. */
function* commandsBelow(command: Command, words: readonly string[]): Generator<[string, Command]> {
  for (const one of command.commands) {
    const all = [...words, one.name()]
    if (one.commands.length === 0) yield [all.join(" "), one]
    yield* commandsBelow(one, all)
  }
}

const context = {
  terminal: createTerminal(process.stdout, process.stderr),
  settings: createSettings({}, "taskmint"),
}
const all = [...commandsBelow(await createProgram(context), [])]

describe("each command explains itself", () => {
  test("there are those that are promised", () => {
    expect(all.map(([words]) => words)).toEqual(expect.arrayContaining(COMMANDS))
  })

  test.each(all)("%s", (words, command) => {
    expect(command.description()).toMatch(/\w/)
    expect(command.helpInformation()).toContain(`Usage: taskmint ${words}`)
    for (const { flags, description } of command.options) expect(description, flags).toMatch(/\w/)
  })

  test.each(all)("%s says what has to be given, and nothing else has", (_words, command) => {
    const marked = /^ {2}(--[\w-]+)(?:(?!^ {2}-)[\s\S])*?\(required\)/gm
    const said = [...command.helpInformation().matchAll(marked)].map(([, flag]) => flag)
    expect(said).toEqual(command.options.filter((one) => one.mandatory).map((one) => one.long))
  })

  test.each(["serve", "task start"])("and that is no failure: %s --help", async (words) => {
    const { code, stdout, stderr } = await runCli([...words.split(" "), "--help"])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain(`Usage: taskmint ${words}`)
  })
})

test("every setting is told by some command's help, with its default", async () => {
  const { stdout } = await runCli(["serve", "--help"])
  const helps = [stdout, ...all.map(([, command]) => command.helpInformation())]
  const told = helps.join("\n").replace(/\s+/g, " ")
  for (const setting of Object.values(SETTINGS)) {
    expect(told).toMatch(new RegExp(`${setting.variable}(_FILE)?\\b`))
    if ("standard" in setting) expect(told).toContain(`${setting.variable}, ${setting.standard})`)
  }
})

test("only commands that print JSON take --json", () => {
  const silent = ["serve", "guard", "demo", "session", "completion", "complete"]
  const without = all.filter(([, { options }]) => options.every(({ long }) => long !== "--json"))
  expect(without.map(([words]) => words)).toEqual(silent)
})
