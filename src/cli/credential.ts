// `credential new`: a key pair for one caller. The private half is for its process alone, the public half for the policy.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Command, Option } from "commander"
import { isName } from "../token/name.ts"
import { type Algorithm, generatePrivateJwk } from "../token/signature.ts"
import type { Context } from "./context.ts"
import { forTerminal } from "./escape.ts"
import { wrongUse } from "./exit.ts"
import { withJson } from "./options.ts"
import { thereAlready, writeNew } from "./secret-file.ts"

export interface CredentialFiles {
  readonly clientId: string
  readonly kid: string
  readonly privateFile: string
  readonly publicFile: string
}

/**
 * Makes a key pair: `<name>.private.json` (0600) and `<name>.jwks.json`. Stop when either is there: nothing is
 * overwritten, and the public half is written last, so that a key set never stands for a key that was lost.
 */
export function createCredential(
  clientId: string,
  folders: { readonly privateTo: string; readonly publicTo: string },
  algorithm: Algorithm = "ES256",
): CredentialFiles {
  if (!isName(clientId))
    throw wrongUse(
      `${clientId} can't be a name in a policy`,
      "Small letters, digits and dashes; a letter first",
    )
  const { d, ...publicJwk } = generatePrivateJwk(algorithm)
  const privateFile = join(folders.privateTo, `${clientId}.private.json`)
  const publicFile = join(folders.publicTo, `${clientId}.jwks.json`)
  for (const path of [privateFile, publicFile]) if (existsSync(path)) throw thereAlready(path)
  writeNew(privateFile, `${JSON.stringify({ ...publicJwk, d }, undefined, 2)}\n`)
  writeNew(publicFile, `${JSON.stringify({ keys: [publicJwk] }, undefined, 2)}\n`, 0o644)
  return { clientId, kid: publicJwk.kid, privateFile, publicFile }
}

interface Flags {
  readonly out: string
  readonly algorithm: Algorithm
  readonly json?: boolean
}

export function addCredential(program: Command, { terminal }: Context): void {
  const credential = program.command("credential").description("keys with which callers authenticate")
  withJson(credential.command("new"))
    .description(
      "make a key pair for a caller: a private JWK for its process, a public key set for the policy",
    )
    .argument("<client-id>", "the caller's name in the policy")
    .option("--out <folder>", "where to write the two files", ".")
    .addOption(
      new Option("--algorithm <name>", "of the new key").choices(["ES256", "EdDSA"]).default("ES256"),
    )
    .action((clientId: string, flags: Flags) => {
      const made = createCredential(clientId, { privateTo: flags.out, publicTo: flags.out }, flags.algorithm)
      if (flags.json) return terminal.json(made)
      const { bold, dim } = terminal.colors
      terminal.print(
        `${bold(forTerminal(made.privateFile))}  ${dim("private, for the caller's process alone (0600)")}`,
      )
      terminal.print(`${bold(forTerminal(made.publicFile))}  ${dim("public, for the policy folder")}`)
      terminal.note(
        `\nNext: put the public file where the policy names it, under \`authenticate\` of ${clientId}:`,
      )
      terminal.note(`  - private_key_jwt: { jwks: keys/${clientId}.jwks.json }`)
    })
}
