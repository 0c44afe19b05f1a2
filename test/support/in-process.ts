// Runs one command of our command line in this process, with an environment and streams of the test's own: the same as a
// process of its own where neither signals nor standard input matter.
import { Command, CommanderError } from "commander"
import type { Context } from "../../src/cli/context.ts"
import { CommandEnded, endOf } from "../../src/cli/exit.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import type { Ended } from "./command-line.ts"

type Add = (program: Command, context: Context) => void

export async function runHere(
  add: Add,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const [out, err] = [collect(), collect()]
  const context = {
    terminal: createTerminal(out.stream, err.stream),
    settings: createSettings({ ...env }, "taskmint"),
  }
  const program = new Command("taskmint").exitOverride()
  program.configureOutput({ writeOut: out.write, writeErr: err.write })
  add(program, context)
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeOut: out.write, writeErr: err.write })
  const code = await program.parseAsync([...args], { from: "user" }).then(
    () => 0,
    (error: unknown) => {
      if (error instanceof CommanderError) return 2
      if (error instanceof CommandEnded) return error.exitCode
      const { exitCode, lines } = endOf(error)
      for (const line of lines) err.write(`${line}\n`)
      return exitCode
    },
  )
  return { code, stdout: out.text(), stderr: err.text() }
}

/** Nobody looks on. */
function collect() {
  let text = ""
  const write = (part: string) => {
    text += part
    return true
  }
  const stream = Object.assign(Object.create(process.stdout), { write, isTTY: false }) as NodeJS.WriteStream
  return { stream, write, text: () => text }
}
