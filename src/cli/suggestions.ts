// How a command line goes on, for a shell that asks: the commands themselves say. It decides what is suggested where; how a
// shell shows that is its script's.
import type { Argument, Command, Option } from "commander"

export interface Suggestions {
  /** A word, and what it is. */
  readonly words: readonly (readonly [word: string, description: string])[]
  /** Names of files go here, too. */
  readonly files: boolean
}

/** Values that an option usually has, beside those that are all it may have. */
const usual = new WeakMap<Option, readonly string[]>()

export function suggesting(option: Option, values: readonly string[]): Option {
  usual.set(option, values)
  return option
}

/** `words`: those before the cursor, the last of which may be unfinished or empty. */
export function suggestionsFor(program: Command, words: readonly string[]): Suggestions {
  const { command, given, option, helping } = walk(program, words.slice(0, -1))
  const begun = words.at(-1) ?? ""
  const [name = "", value] = splitOnce(begun)
  const named = value === undefined ? option : optionOf(command, name)
  if (named) return starting(valuesOf(named), value ?? (begun === "=" ? "" : begun))
  if (begun.startsWith("-")) return starting(optionsOf(command), begun)
  const help = command.createHelp()
  const below = given.length > 0 ? [] : help.visibleCommands(command)
  const commands = below.map((one) => [one.name(), one.description()] as const)
  const at = command.registeredArguments[given.length] ?? lastOf(command)
  const { words: more, files } = at && !helping ? argumentOf(at) : NOTHING
  return starting({ words: [...commands, ...more], files }, begun)
}

const NOTHING: Suggestions = { words: [], files: false }
const OF_FILES = /^(file|folder|path|paths|spool|old|new|candidate|command)$/

function walk(program: Command, words: readonly string[]) {
  let [command, option, helping, ended] = [program, undefined as Option | undefined, false, false]
  let given: readonly string[] = []
  for (const word of words) {
    if (option && word === "=") continue // bash takes `--state=` apart
    if (option) option = undefined
    else if (word === "--") ended = true
    else if (word.startsWith("-") && !ended) option = optionOf(command, word)
    else if (word === "help" && given.length === 0) helping = true
    else {
      const below = command.commands.find((one) => one.name() === word)
      if (below && given.length === 0) command = below
      else given = [...given, word]
    }
  }
  return { command, given, option, helping }
}

/** One that takes a value. */
const optionOf = (command: Command, word: string): Option | undefined =>
  command.options.find((one) => (one.long === word || one.short === word) && (one.required || one.optional))

const lastOf = ({ registeredArguments }: Command): Argument | undefined => {
  const last = registeredArguments.at(-1)
  return last?.variadic ? last : undefined
}

const optionsOf = (command: Command): Suggestions => ({
  words: command
    .createHelp()
    .visibleOptions(command)
    .map((one) => [one.long ?? one.short ?? "", one.description] as const),
  files: false,
})

const valuesOf = (option: Option): Suggestions => ({
  words: (option.argChoices ?? usual.get(option) ?? []).map((value) => [value, ""] as const),
  files: OF_FILES.test(/<([a-z]+)>/.exec(option.flags)?.[1] ?? ""),
})

const argumentOf = (argument: Argument): Suggestions => ({
  words: (argument.argChoices ?? []).map((value) => [value, ""] as const),
  files: OF_FILES.test(argument.name()),
})

const starting = ({ words, files }: Suggestions, begun: string): Suggestions => ({
  words: words.filter(([word]) => word.startsWith(begun)),
  files,
})

/** `--state=act`; a value alone may hold a `=` as well. */
function splitOnce(text: string): readonly [string, string?] {
  const at = text.startsWith("--") ? text.indexOf("=") : -1
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
