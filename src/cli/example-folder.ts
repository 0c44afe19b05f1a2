// A folder with everything that an issuer needs to start: the shipped example policies, a fresh key for every caller that
// they name, and a key-encryption key. It never overwrites; what the policies allow is theirs to say.
import { randomBytes } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { createCredential } from "./credential.ts"
import { wrongUse } from "./exit.ts"
import { writeNew } from "./secret-file.ts"

export interface ExampleFolder {
  /** All absolute. */
  readonly folder: string
  readonly policies: string
  readonly keyEncryptionKeyFile: string
  readonly database: string
  readonly files: readonly string[]
  /** The private key file of a caller of the example policies. */
  keyFileOf(clientId: string): string
}

/** Beside src/ and dist/, in the project and in the package. */
const SHIPPED = fileURLToPath(new URL("../../policies", import.meta.url))

/**
 * Writes the folder. `rewrite` may change the text of a policy on its way. Stop (wrong use) when the folder holds
 * anything already.
 */
export function writeExampleFolder(
  path: string,
  rewrite: (text: string) => string = (text) => text,
): ExampleFolder {
  const folder = resolve(path)
  if (existsSync(folder) && !statSync(folder).isDirectory()) throw wrongUse(`${folder} is no folder`)
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw wrongUse(`${folder} is not empty, and nothing is overwritten`, "Name another folder")
  const made = pathsOf(folder)
  const files: string[] = []
  for (const name of shipped("", ".yaml")) {
    const text = withoutModeline(readFileSync(join(SHIPPED, name), "utf8"))
    files.push(write(join(made.policies, name), rewrite(text), 0o644))
  }
  for (const name of shipped("scenarios", ".yaml")) {
    const text = withoutModeline(readFileSync(join(SHIPPED, "scenarios", name), "utf8"))
    files.push(write(join(made.policies, "scenarios", name), text, 0o644))
  }
  for (const name of shipped("keys", ".jwks.json")) {
    const places = { privateTo: join(folder, "credentials"), publicTo: join(made.policies, "keys") }
    const { privateFile, publicFile } = createCredential(name.replace(/\.jwks\.json$/, ""), places)
    files.push(publicFile, privateFile)
  }
  files.push(write(made.keyEncryptionKeyFile, `${randomBytes(32).toString("base64url")}\n`, 0o600))
  return { ...made, files }
}

/** Where things are in such a folder, whether or not it was written yet. */
export function pathsOf(path: string): Omit<ExampleFolder, "files"> {
  const folder = resolve(path)
  return {
    folder,
    policies: join(folder, "policies"),
    keyEncryptionKeyFile: join(folder, "key-encryption.key"),
    database: join(folder, "taskmint.db"),
    keyFileOf: (clientId) => join(folder, "credentials", `${clientId}.private.json`),
  }
}

/** It names a schema that lies beside the shipped files only. */
const withoutModeline = (text: string): string => text.replace(/^# yaml-language-server:.*\n/, "")

const shipped = (folder: string, ending: string): string[] =>
  readdirSync(join(SHIPPED, folder))
    .filter((name) => name.endsWith(ending))
    .sort()

function write(path: string, text: string, mode: number): string {
  writeNew(path, text, mode)
  return path
}
