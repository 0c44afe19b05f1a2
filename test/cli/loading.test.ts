import { Command } from "commander"
import { describe, expect, test } from "vitest"
import { namingWords } from "../../src/cli/completion.ts"
import { addNamed, type Loaders } from "../../src/cli/loading.ts"
import { createProgram } from "../../src/cli/program.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"

const context = {
  terminal: createTerminal(process.stdout, process.stderr),
  settings: createSettings({}, "taskmint"),
}
const namesOf = (command: Command | undefined) => command?.commands.map((one) => one.name()) ?? []

describe("what the arguments name is loaded, and nothing else", () => {
  const load = async (words: readonly string[]) => {
    const loaded: string[] = []
    const loaderOf = (name: string) => async () => {
      loaded.push(name)
      return (parent: Command, _: unknown, rest: readonly string[]) =>
        void parent.command(name).description(rest.join(" "))
    }
    const loaders: Loaders = { keys: loaderOf("keys"), lock: loaderOf("lock") }
    const parent = new Command()
    await addNamed(parent, context, loaders, words)
    return { loaded, told: parent.commands.map((one) => [one.name(), one.description()]) }
  }

  test("with the words that follow", async () => {
    expect(await load(["lock", "list", "--json"])).toEqual({
      loaded: ["lock"],
      told: [["lock", "list --json"]],
    })
  })

  test.each([[], ["--help"], ["lok", "list"], ["toString"]])(
    "all in their order where nothing is named: %j",
    async (...words) => {
      expect(await load(words)).toEqual({
        loaded: ["keys", "lock"],
        told: [
          ["keys", ""],
          ["lock", ""],
        ],
      })
    },
  )
})

describe("a shell asks how its words go on", () => {
  test.each([
    [["complete", "--", "policy", "che"], ["policy"]],
    [
      ["complete", "--", "policy", "check", ""],
      ["policy", "check"],
    ],
    // It may be the beginning of another.
    [["complete", "--", "policy"], []],
    [["complete"], ["complete"]],
    [
      ["task", "list"],
      ["task", "list"],
    ],
  ])("%j", (args, words) => {
    expect(namingWords(args)).toEqual(words)
  })
})

describe("the program", () => {
  test("has one noun of many, and of policy one command", async () => {
    const program = await createProgram(context, ["policy", "explain", "--help"])
    expect(namesOf(program)).toEqual(["policy", "completion", "complete"])
    expect(namesOf(program.commands[0])).toEqual(["explain"])
  })

  test("has all where a shell completes the noun", async () => {
    const all = namesOf(await createProgram(context))
    expect(namesOf(await createProgram(context, ["complete", "--", "p"]))).toEqual(all)
    expect(all.length).toBeGreaterThan(15)
  })
})
