// Commands that are loaded when the arguments name one, for loading all of them takes several times as long as what most of
// them do. It decides what is loaded; the commands say what they are themselves.
import type { Command } from "commander"
import type { Context } from "./context.ts"

type Add = (parent: Command, context: Context, words: readonly string[]) => void | Promise<void>

/** By the word that names it. */
export type Loaders = Readonly<Record<string, () => Promise<Add>>>

/** Adds the command that the first word names; where it names none, for help or a suggestion, all of them in their order. */
export async function addNamed(
  parent: Command,
  context: Context,
  loaders: Loaders,
  [first = "", ...rest]: readonly string[],
): Promise<void> {
  const named = Object.hasOwn(loaders, first) ? loaders[first] : undefined
  const adds = await Promise.all((named ? [named] : Object.values(loaders)).map((load) => load()))
  for (const add of adds) await add(parent, context, named ? rest : [])
}
