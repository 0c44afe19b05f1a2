// `init`: a folder with which `serve` starts as it is, and the commands to try next. It never overwrites.
import { join, relative } from "node:path"
import { type Command, InvalidArgumentError } from "commander"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { type ExampleFolder, writeExampleFolder } from "./example-folder.ts"
import { quote } from "./next-command.ts"
import { withJson } from "./options.ts"
import { writeNew } from "./secret-file.ts"

export function addInit(program: Command, context: Context): void {
  withJson(program.command("init"))
    .description("make a folder with example policies, fresh keys and settings that work")
    .argument("[folder]", "a new or empty folder", "taskmint")
    .option("--port <number>", "the port that the settings name", readPort, 8787)
    .action((path: string, flags: { readonly port: number; readonly json?: boolean }) => {
      const made = writeExampleFolder(path)
      const settings = writeSettings(made, `http://127.0.0.1:${flags.port}`)
      const files = [...made.files, settings, ...writePrograms(made)]
      if (flags.json) context.terminal.json({ ...made, files, settings })
      else showNext(context, made, settings)
    })
}

function readPort(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError("Give a port, 1 to 65535.")
  return Number(text)
}

/** A shell reads them with a dot; paths are absolute, so that they work from anywhere. */
function writeSettings(made: ExampleFolder, issuer: string): string {
  const path = join(made.folder, "settings.sh")
  const settings = {
    TASKMINT_ISSUER: issuer,
    TASKMINT_PORT: new URL(issuer).port,
    TASKMINT_POLICIES: made.policies,
    TASKMINT_DATABASE: `sqlite:${made.database}`,
    TASKMINT_KEY_ENCRYPTION_KEY_FILE: made.keyEncryptionKeyFile,
    TASKMINT_CLIENT_ID: "support-orchestrator",
    TASKMINT_CLIENT_KEY_FILE: made.keyFileOf("support-orchestrator"),
  }
  const lines = Object.entries(settings).map(([name, value]) => `export ${name}=${quote(value)}\n`)
  const programs = `export PATH=${quote(join(made.folder, "bin"))}:"$PATH"\n`
  writeNew(path, `# Settings of taskmint for a shell: . ${quote(path)}\n${lines.join("")}${programs}`)
  return path
}

/**
 * Two programs for that shell: `taskmint`, which runs this very version with this very Node, and `as-caller NAME`,
 * which runs a command as another caller of the example policies.
 */
function writePrograms(made: ExampleFolder): string[] {
  const { execPath, argv } = process
  const programs = {
    taskmint: `TASKMINT_COMMAND=taskmint exec ${quote(execPath)} ${quote(argv[1] ?? "")} "$@"`,
    "as-caller": [
      `key=${quote(join(made.folder, "credentials"))}/$1.private.json`,
      `[ -f "$key" ] || { echo "usage: as-caller NAME COMMAND..., NAME one of: ${callersOf(made)}" >&2; exit 2; }`,
      `export TASKMINT_CLIENT_ID="$1" TASKMINT_CLIENT_KEY_FILE="$key"`,
      `shift`,
      `exec "$@"`,
    ].join("\n"),
  }
  return Object.entries(programs).map(([name, script]) => {
    const path = join(made.folder, "bin", name)
    writeNew(path, `#!/bin/sh\n${script}\n`, 0o700)
    return path
  })
}

const callersOf = (made: ExampleFolder): string =>
  made.files.flatMap((file) => /([^/\\]+)\.private\.json$/.exec(file)?.[1] ?? []).join(" ")

function showNext({ terminal }: Context, made: ExampleFolder, settings: string): void {
  const { bold, dim } = terminal.colors
  terminal.print(`${bold(forTerminal(made.folder))}\n`)
  const rows = [
    [relative(made.folder, made.policies), "who may get what: edit these, then run `policy check`"],
    ["credentials", "private keys of the callers that the policies name, one file each (0600)"],
    [
      relative(made.folder, made.keyEncryptionKeyFile),
      "encrypts the issuer's signing keys at rest (0600); keep a copy",
    ],
    ["settings.sh", "what the commands below need, for a shell"],
    ["bin", "`taskmint` and `as-caller NAME`, for that shell"],
  ]
  for (const [name = "", what = ""] of rows) terminal.print(`  ${name.padEnd(20)} ${dim(what)}`)
  const start =
    'task start triage-ticket --agent triage-bot/pod-1 --input ticket=SUP-1042 --purpose "first try"'
  terminal.print(`\n${bold("Next")}, in one terminal:`)
  terminal.print(`  . ${quote(settings)}`)
  terminal.print("  taskmint serve")
  terminal.print(`${bold("and in another:")}`)
  terminal.print(`  . ${quote(settings)}`)
  terminal.print(`  taskmint ${start}`)
  terminal.print("  as-caller audit-team taskmint ledger query")
}
